package pluralkit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultBaseURL is PluralKit's own.
const DefaultBaseURL = "https://api.pluralkit.me"

// Config of a Client. Token must be given.
type Config struct {
	BaseURL   string // without /v2; empty: DefaultBaseURL. http only to this machine: the token is in each request
	Token     string // the system owner's
	UserAgent string // PluralKit answers 400 without one; empty: "switchlog"

	// HTTP is what asks; nil: one of our own, with limits. Of another the
	// transport and the timeout are taken (none: a timeout of our own);
	// redirects are never followed.
	HTTP     *http.Client
	Limiters *Limiters    // shared by all clients of a process; nil: its own
	Log      *slog.Logger // nil: discard
	Metrics  *ClientMetrics
}

// A Client reads from PluralKit's API v2 with one owner's token. It is safe
// for concurrent use.
type Client struct {
	base     string // ends in /v2
	agent    string
	token    func() string // a func, so that printing a Client does not show it
	key      tokenKey
	http     *http.Client
	own      bool // http is ours
	page     int  // switches in a page
	limiters *Limiters
	log      *slog.Logger
	metrics  *ClientMetrics
	requests atomic.Uint64 // sent
}

// requestTimeout is for one request, from the connection to the end of the
// body. The largest answers are a few MB.
const requestTimeout = 30 * time.Second

// NewClient checks c; it asks nothing yet.
func NewClient(c Config) (*Client, error) {
	base, err := checkBase(c.BaseURL)
	if err != nil {
		return nil, err
	}
	if !isHeader(c.Token) || strings.Contains(c.Token, " ") {
		return nil, errors.New("pluralkit: the API token is empty or has characters no token has (hint: pk;token in Discord gives it)")
	}
	if c.UserAgent == "" {
		c.UserAgent = "switchlog"
	}
	if !isHeader(c.UserAgent) {
		return nil, errors.New("pluralkit: the user agent is no header (hint: letters, digits and punctuation, at most 512)")
	}
	client := &Client{
		base: base, agent: c.UserAgent, token: func() string { return c.Token }, key: keyOf(c.Token),
		limiters: c.Limiters, log: c.Log, metrics: c.Metrics, own: c.HTTP == nil, page: pageSize,
	}
	client.http = httpClient(c.HTTP)
	if client.limiters == nil {
		client.limiters = NewLimiters()
	}
	if client.log == nil {
		client.log = slog.New(slog.DiscardHandler)
	}
	if client.metrics == nil {
		client.metrics = NewClientMetrics(nil)
	}
	return client, nil
}

// Close lets go of idle connections of our own. The Client can still be used.
func (c *Client) Close() {
	if c.own {
		c.http.CloseIdleConnections()
	}
}

func httpClient(given *http.Client) *http.Client {
	own := http.Client{Timeout: requestTimeout}
	if given == nil {
		own.Transport = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ResponseHeaderTimeout:  20 * time.Second,
			IdleConnTimeout:        time.Minute,
			MaxConnsPerHost:        2 * maxAtOnce,
			MaxIdleConnsPerHost:    maxAtOnce,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
		}
	} else {
		own.Transport = given.Transport
		if given.Timeout > 0 {
			own.Timeout = given.Timeout
		}
	}
	// A redirect is answered like any refusal: the token goes nowhere else.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// CheckBaseURL reports what is wrong with a BaseURL of Config.
func CheckBaseURL(s string) error {
	_, err := checkBase(s)
	return err
}

// checkBase gives the address that paths are appended to.
func checkBase(s string) (string, error) {
	if s == "" {
		s = DefaultBaseURL
	}
	const hint = "(hint: like " + DefaultBaseURL + ")"
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("pluralkit: the API's address is no plain URL %s", hint)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return "", fmt.Errorf("pluralkit: the API's address %s is not https, and the token would go there %s", u, hint)
	}
	return strings.TrimRight(u.String(), "/") + "/v2", nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// isHeader reports whether s is one line of printable ASCII, of a length that
// any server takes.
func isHeader(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= 512
}

// System is GET /systems/@me.
func (c *Client) System(ctx context.Context) (System, error) {
	return get(ctx, c, routeSystem, "/systems/@me", decodeSystem)
}

// Settings is GET /systems/@me/settings. A field that is missing is unknown,
// not at its default: card_show_color_hex is never there.
func (c *Client) Settings(ctx context.Context) (Settings, error) {
	return get(ctx, c, routeSettings, "/systems/@me/settings", decodeSettings)
}

// Members is GET /systems/@me/members: all of them, in no order.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	members, err := get(ctx, c, routeMembers, "/systems/@me/members", decodeMembers)
	if err != nil {
		return nil, err
	}
	return members, c.vouch(ctx, len(members))
}

// Groups is GET /systems/@me/groups with their members: all, in no order.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	groups, err := get(ctx, c, routeGroups, "/systems/@me/groups?with_members=true", decodeGroups)
	if err != nil {
		return nil, err
	}
	return groups, c.vouch(ctx, len(groups))
}

// vouch asks for the system when a list is empty: what of it is hidden from
// strangers would be left out, and nothing in it says that.
func (c *Client) vouch(ctx context.Context, n int) error {
	if n > 0 {
		return nil
	}
	_, err := c.System(ctx)
	return err
}

// Fronters is GET /systems/@me/fronters: the switch with the greatest time,
// also one in the future. There is none before the first switch.
func (c *Client) Fronters(ctx context.Context) (s FullSwitch, found bool, err error) {
	front, err := get(ctx, c, routeFronters, "/systems/@me/fronters", decodeFronters)
	if err != nil || front == nil {
		return FullSwitch{}, false, err
	}
	return *front, true, nil
}

// Switch is GET /systems/@me/switches/{uuid}: the one place besides Fronters
// where the order of members is sure. ErrNotFound: it was deleted.
func (c *Client) Switch(ctx context.Context, id UUID) (FullSwitch, error) {
	uuid, err := ParseUUID(string(id))
	if err != nil {
		return FullSwitch{}, fmt.Errorf("pluralkit: switch: %w", err)
	}
	return get(ctx, c, routeSwitch, "/systems/@me/switches/"+string(uuid), decodeFullSwitch)
}

// SystemGuild is GET /systems/@me/guilds/{id}. ErrNotFound: there is no row,
// everything is at its default.
func (c *Client) SystemGuild(ctx context.Context, guild string) (GuildSettings, error) {
	if err := checkSnowflake("guild", guild); err != nil {
		return GuildSettings{}, err
	}
	return get(ctx, c, routeSystemGuild, "/systems/@me/guilds/"+guild, func(body []byte) (GuildSettings, error) {
		return decodeSystemGuild(guild, body)
	})
}

// MemberGuild is GET /members/{uuid}/guilds/{id}. ErrNotFound with code 20010:
// there is no row, everything is at its default; with 20002 or 20003: there is
// no such member.
func (c *Client) MemberGuild(ctx context.Context, member UUID, guild string) (GuildSettings, error) {
	uuid, err := ParseUUID(string(member))
	if err != nil {
		return GuildSettings{}, fmt.Errorf("pluralkit: member: %w", err)
	}
	if err := checkSnowflake("guild", guild); err != nil {
		return GuildSettings{}, err
	}
	path := "/members/" + string(uuid) + "/guilds/" + guild
	return get(ctx, c, routeMemberGuild, path, func(body []byte) (GuildSettings, error) {
		return decodeMemberGuild(uuid, guild, body)
	})
}

// Autoproxy is GET /systems/@me/autoproxy of a guild. There is always one.
func (c *Client) Autoproxy(ctx context.Context, guild string) (Autoproxy, error) {
	if err := checkSnowflake("guild", guild); err != nil {
		return Autoproxy{}, err
	}
	return get(ctx, c, routeAutoproxy, "/systems/@me/autoproxy?guild_id="+guild, func(body []byte) (Autoproxy, error) {
		return decodeAutoproxy(guild, body)
	})
}

// SystemOf is GET /systems/{account}: the system that a Discord account is
// linked to, whosever; found is false when to none.
func (c *Client) SystemOf(ctx context.Context, account string) (id UUID, found bool, err error) {
	if err := checkSnowflake("account", account); err != nil {
		return "", false, err
	}
	return c.systemBy(ctx, routeAccount, account)
}

// SystemExists asks, without the token, whether there is such a system at all.
// After ErrUnauthorized it tells a system that is gone from a token that is.
func (c *Client) SystemExists(ctx context.Context, id UUID) (bool, error) {
	uuid, err := ParseUUID(string(id))
	if err != nil {
		return false, fmt.Errorf("pluralkit: system: %w", err)
	}
	_, found, err := c.systemBy(ctx, routeExists, string(uuid))
	return found, err
}

func (c *Client) systemBy(ctx context.Context, r *route, ref string) (id UUID, found bool, err error) {
	id, err = get(ctx, c, r, "/systems/"+ref, decodeSystemUUID)
	if errors.Is(err, ErrNotFound) {
		return "", false, nil
	}
	return id, err == nil, err
}

// Message is GET /messages/{id}: a message of the token's system, by its own
// id, or for 30 minutes by that of what was written. ErrNotFound: it was
// deleted, or never proxied. Another system's is ErrAnonymous.
func (c *Client) Message(ctx context.Context, id string) (Message, error) {
	if err := checkSnowflake("message", id); err != nil {
		return Message{}, err
	}
	return get(ctx, c, routeMessage, "/messages/"+id, decodeMessage)
}
