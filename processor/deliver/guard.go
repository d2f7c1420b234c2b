package deliver

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"switchlog/schemas"
)

// hidden stands for what is secret wherever people see it.
const hidden = "***"

// CheckURL holds the URL of a new subscription against the rules: https, or
// http to what is allowed; a host that is a public name or address, in one
// spelling only; and the shape the provider wants. What a name resolves to is
// checked when it is dialled, each time. It returns the URL fit to be shown,
// with "***" for what is secret in it. Errors wrap schemas.ErrInvalid.
func CheckURL(providerName, text string, allow []netip.Prefix) (shown string, err error) {
	p, err := providerOf(providerName)
	if err != nil {
		return "", err
	}
	u, err := parseURL(text, allow)
	if err != nil {
		return "", fmt.Errorf("%w: url: %w", schemas.ErrInvalid, err)
	}
	if err := p.checkURL(u); err != nil {
		return "", fmt.Errorf("%w: url: %w", schemas.ErrInvalid, err)
	}
	return p.show(u), nil
}

// parseURL reads a destination. Two parsers must never see two hosts in it,
// so whatever has a second reading is refused.
func parseURL(text string, allow []netip.Prefix) (*url.URL, error) {
	if len(text) > schemas.MaxURLBytes {
		return nil, fmt.Errorf("is longer than %d bytes", schemas.MaxURLBytes)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return nil, fmt.Errorf("holds spaces or control characters")
	}
	if strings.Contains(text, `\`) {
		return nil, fmt.Errorf("holds a backslash")
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("is not a URL") // the parser's error repeats it, secrets and all
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("must begin with https://")
	case u.Opaque != "" || u.Host == "":
		return nil, fmt.Errorf("has no host")
	case u.User != nil || strings.Contains(authority(text), "@"):
		return nil, fmt.Errorf("holds a user name or password (hint: give it as secret)")
	case strings.Contains(text, "#"):
		return nil, fmt.Errorf("has a fragment")
	case strings.Contains(authority(text), "%"):
		return nil, fmt.Errorf("has an encoded host")
	}
	if err := checkHost(u, allow); err != nil {
		return nil, err
	}
	return u, nil
}

// authority is what stands between // and the path.
func authority(text string) string {
	_, rest, _ := strings.Cut(text, "//")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// checkHost checks host and port, and writes the host in its one spelling.
func checkHost(u *url.URL, allow []netip.Prefix) error {
	host, port := u.Hostname(), u.Port()
	if strings.HasSuffix(u.Host, ":") {
		return fmt.Errorf("has an empty port")
	}
	if port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || port[0] == '0' {
			return fmt.Errorf("port %q is none", port)
		}
	}
	tls := u.Scheme == "https"
	if a, err := netip.ParseAddr(host); err == nil {
		return checkAddr(a, tls, allow)
	}
	if strings.HasPrefix(u.Host, "[") {
		return fmt.Errorf("has a bad IPv6 address")
	}
	name, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return fmt.Errorf("host %q is no name", host)
	}
	if err := checkName(name, tls, allow); err != nil {
		return err
	}
	u.Host = name
	if port != "" {
		u.Host += ":" + port
	}
	return nil
}

// checkName checks a host that is no address: 127.1, 0x7f.1 and 2130706433 are
// addresses to some resolvers and names to others.
func checkName(name string, tls bool, allow []netip.Prefix) error {
	bare := strings.TrimSuffix(name, ".")
	last := bare[strings.LastIndexByte(bare, '.')+1:]
	if bare == "" || len(bare) > 253 || last == "" || strings.Contains(bare, "..") || strings.HasPrefix(bare, ".") {
		return fmt.Errorf("host %q is no name", name)
	}
	if isNumber(last) {
		return fmt.Errorf("host %q is neither a name nor an address in its usual form", name)
	}
	if last == "localhost" {
		if err := checkAddr(netip.AddrFrom4([4]byte{127, 0, 0, 1}), tls, allow); err != nil {
			return err
		}
		return nil
	}
	if !tls && len(allow) == 0 {
		return fmt.Errorf("must begin with https://")
	}
	if tls && !strings.Contains(bare, ".") && len(allow) == 0 {
		return errNotPublic
	}
	return nil
}

// isNumber reports whether a resolver may take a label for a number: decimal,
// octal or hexadecimal.
func isNumber(label string) bool {
	if rest, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		return strings.Trim(rest, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// showURL is a URL of no known form, for people: scheme and host. Its path and
// query may be all that protects it, and nothing in them says so: a number and
// a word are a password at some services.
func showURL(u *url.URL) string {
	shown := u.Scheme + "://" + u.Host
	if strings.Trim(u.EscapedPath(), "/") != "" || u.RawQuery != "" {
		return shown + "/" + hidden
	}
	return shown
}
