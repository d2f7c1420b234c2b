package linking

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// A Resolver finds the IPv4 addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// notGlobal are the IPv4 networks that PluralKit does not send to, and what each
// is.
var notGlobal = []struct {
	net  netip.Prefix
	what string
}{
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared by a provider's customers (CGNAT), or Tailscale's"},
	{netip.MustParsePrefix("127.0.0.0/8"), "this machine itself"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("0.0.0.0/8"), "none"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for measurements"},
	{netip.MustParsePrefix("224.0.0.0/4"), "for multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
}

// whyNotGlobal says what an IPv4 address is that cannot be reached from the
// internet; empty: it can be.
func whyNotGlobal(ip netip.Addr) string {
	for _, n := range notGlobal {
		if n.net.Contains(ip) {
			return n.what
		}
	}
	return ""
}

// IsLoopback reports whether the host of an address is this machine itself, for
// which nobody else can use it. What is no address is not.
func IsLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && (ip.Unmap().IsLoopback() || ip.IsUnspecified())
}

// ErrAddress is wrapped by what is wrong with a public address.
var ErrAddress = errors.New("the public address cannot be one")

// CheckURL says what is wrong with a public address as it is written: it must be
// https and a name, or be this machine itself, by http for tests. Its errors wrap
// ErrAddress and say what to do.
func CheckURL(address string) error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrAddress, fmt.Sprintf(format, args...))
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || strings.ContainsAny(address, " <>\"'`"):
		return wrong("it is not written as one (hint: https://hooks.example.org, and nothing around it)")
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return wrong("it needs https:// and a name (hint: https://hooks.example.org)")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return wrong("it has a user, a question mark or a # (hint: https://hooks.example.org alone)")
	case IsLoopback(address):
		return nil
	case u.Scheme != "https":
		return wrong("it is http, and providers send to https only (hint: https://%s, with a certificate: by a proxy or a tunnel in front)", u.Host)
	case !ascii(u.Hostname()):
		return wrong("its name has letters that are not ASCII (hint: write it as xn--…, as your name's provider shows it)")
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return wrong("it is an IP address, and PluralKit wants a name (hint: a name whose A record is that address)")
	}
	return nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// lookUp finds the IPv4 addresses of a name, and says what PluralKit will not like
// about them. Not ok: no PING can be sent.
func (c Checker) lookUp(ctx context.Context, host string) (ips []netip.Addr, steps []Step) {
	ctx, cancel := context.WithTimeout(ctx, lookUpTimeout)
	defer cancel()
	found, err := c.Resolver.LookupNetIP(ctx, "ip4", host)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound, err == nil && len(found) == 0:
		return nil, []Step{bad(stepName, wordNoIPs, fmt.Sprintf("the name %s has no IPv4 address", host), "add an A record at your name's provider: an AAAA record (IPv6) alone is not enough. It may take some minutes to be seen")}
	case err != nil:
		return nil, []Step{bad(stepName, wordResolveFailed, fmt.Sprintf("no name server answers for %s", host), "is this machine online? Else look at the name server of your name")}
	}
	for _, ip := range found {
		ips = append(ips, ip.Unmap())
	}
	for _, ip := range ips {
		if what := whyNotGlobal(ip); what != "" {
			steps = append(steps, bad(stepIPv4, wordInvalidIP, fmt.Sprintf("%s is at %s, which is %s: nobody on the internet can reach it", host, ip, what), remedy(ip)))
		}
	}
	if len(steps) == 0 {
		steps = append(steps, good(stepIPv4, fmt.Sprintf("%s is at %s", host, list(ips))))
	}
	return ips, steps
}

func remedy(ip netip.Addr) string {
	switch {
	case ip.IsLoopback():
		return "if /etc/hosts or the router says so, others may be told another address: look from outside. Else let the A record be the public address"
	case notGlobal[3].net.Contains(ip):
		return "use a tunnel: switchlog link pluralkit lists some. With Tailscale, Funnel makes the name public"
	}
	return "let the A record be the router's public address, and pass port 443 on from there; or use a tunnel: switchlog link pluralkit lists some"
}

func list(ips []netip.Addr) string {
	texts := make([]string, len(ips))
	for i, ip := range ips {
		texts[i] = ip.String()
	}
	return strings.Join(texts, ", ")
}
