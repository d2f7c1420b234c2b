package deliver

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// errNotPublic is wrapped by every error that says a destination is on a
// network that is not the internet's. The address is not in its text: whoever
// may add a webhook need not learn how our network is numbered.
var errNotPublic = errors.New("its address is not a public one (hint: the operator may allow it with serve --deliver-allow)")

// notPublic4 are the parts of IPv4 that are not the internet: IANA's
// registry of special purposes, multicast, and what is reserved.
var notPublic4 = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private
	"100.64.0.0/10",   // shared by a provider's customers
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local; the metadata of clouds
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.31.196.0/24", // AS112
	"192.52.193.0/24", // AMT
	"192.88.99.0/24",  // 6to4 relays
	"192.168.0.0/16",  // private
	"192.175.48.0/24", // AS112
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, and broadcast
)

// public6 is what of IPv6 is the internet, notPublic6 what is not after all.
// Outside it lie loopback, ::ffff:0:0/96, NAT64 (64:ff9b::/96 and
// 64:ff9b:1::/48), unique local and link-local addresses, and multicast.
var (
	public6    = netip.MustParsePrefix("2000::/3")
	notPublic6 = prefixes(
		"2001::/23",         // protocol assignments: Teredo, ORCHID, benchmarks
		"2001:db8::/32",     // documentation
		"2002::/16",         // 6to4: an IPv4 address in disguise
		"2620:4f:8000::/48", // AS112
		"3fff::/20",         // documentation
	)
)

// metadata is where clouds tell a machine its own secrets. A range that
// happens to hold one does not allow it: it must be named alone.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"),
	netip.MustParseAddr("169.254.170.2"),
	netip.MustParseAddr("fd00:ec2::254"),
}

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, 0, len(texts))
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// isPublic reports whether an address is one of the internet.
func isPublic(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	list := notPublic4
	if !a.Is4() {
		if !public6.Contains(a) {
			return false
		}
		list = notPublic6
	}
	return !within(a, list)
}

// isAllowed reports whether the operator allows an address that is not public.
func isAllowed(a netip.Addr, allow []netip.Prefix) bool {
	for _, m := range metadata {
		if a == m {
			return within(a, alone(allow))
		}
	}
	return within(a, allow)
}

func alone(allow []netip.Prefix) []netip.Prefix {
	var one []netip.Prefix
	for _, p := range allow {
		if p.IsSingleIP() {
			one = append(one, p)
		}
	}
	return one
}

func within(a netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// checkAddr is what every address must pass before it is dialled. Without TLS
// it must be allowed by name of its network: nobody can read along there whom
// the operator does not know.
func checkAddr(a netip.Addr, tls bool, allow []netip.Prefix) error {
	a = a.Unmap() // ::ffff:10.0.0.1 is 10.0.0.1
	if isAllowed(a, allow) {
		return nil
	}
	if !isPublic(a) {
		return errNotPublic
	}
	if !tls {
		return errors.New("a public address is reached by https only")
	}
	return nil
}

// maxAllow is how many networks may be allowed: each attempt looks through them.
const maxAllow = 64

// ParseAllow reads the networks that deliveries may reach though they are not
// public: CIDR prefixes or single addresses, separated by commas or spaces.
// Empty: none.
func ParseAllow(text string) ([]netip.Prefix, error) {
	var allow []netip.Prefix
	for _, field := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := netip.ParsePrefix(field)
		if err != nil {
			a, err := netip.ParseAddr(field)
			if err != nil || a.Zone() != "" {
				return nil, fmt.Errorf("%q is no network (hint: write it like 192.168.1.0/24 or fd12:3456::/32)", field)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if p.Addr().Is4In6() {
			return nil, fmt.Errorf("%q: write IPv4 networks as IPv4 (hint: 10.0.0.0/8)", field)
		}
		if p != p.Masked() {
			return nil, fmt.Errorf("%q has bits behind its mask (hint: did you mean %s?)", field, p.Masked())
		}
		allow = append(allow, p)
	}
	if len(allow) > maxAllow {
		return nil, fmt.Errorf("%d networks; at most %d can be allowed", len(allow), maxAllow)
	}
	return allow, nil
}
