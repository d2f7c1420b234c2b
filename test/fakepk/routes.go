package fakepk

import (
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A route is one path of API v2 and its answer. Handlers run with World.mu read-locked.
type route struct {
	pattern string
	system  bool                              // the first placeholder is a system ref
	owner   func(*request, string) *System    // whose the first placeholder is, nil when nobody's
	handle  func(*request) (v any, err error) // v for appendJSON
}

var errNoContent = errors.New("no content")

var routes = []*route{
	{"/systems/{ref}", true, ofSystem, getSystem},
	{"/systems/{ref}/settings", true, ofSystem, getSettings},
	{"/systems/{ref}/members", true, ofSystem, getMembers},
	{"/systems/{ref}/groups", true, ofSystem, getGroups},
	{"/systems/{ref}/switches", true, ofSystem, getSwitches},
	{"/systems/{ref}/switches/{uuid}", true, ofSystem, getSwitch},
	{"/systems/{ref}/fronters", true, ofSystem, getFronters},
	{"/systems/{ref}/guilds/{guild}", true, ofSystem, getSystemGuild},
	{"/systems/{ref}/autoproxy", true, ofSystem, getAutoproxy},
	{"/members/{ref}", false, ofMember, getMember},
	{"/members/{ref}/groups", false, ofMember, getMemberGroups},
	{"/members/{ref}/guilds/{guild}", false, ofMember, getMemberGuild},
	{"/groups/{ref}", false, ofGroup, getGroup},
	{"/groups/{ref}/members", false, ofGroup, getGroupMembers},
	{"/messages/{id}", false, nil, getMessage},
}

// findRoute takes the path apart; nil when there is none such.
func findRoute(path string) (*route, []string) {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return nil, nil
	}
	parts := strings.Split(rest, "/")
next:
	for _, r := range routes {
		want := strings.Split(r.pattern[1:], "/")
		if len(want) != len(parts) {
			continue
		}
		var args []string
		for i, p := range want {
			if p[0] != '{' {
				if p != parts[i] {
					continue next
				}
				continue
			}
			arg, err := url.PathUnescape(parts[i])
			if err != nil || arg == "" {
				continue next
			}
			args = append(args, arg)
		}
		return r, args
	}
	return nil, nil
}

func ofSystem(q *request, ref string) *System {
	s, err := q.system(ref)
	if err != nil {
		return nil
	}
	return s
}

func ofMember(q *request, ref string) *System {
	_, s := q.findMember(ref)
	return s
}

func ofGroup(q *request, ref string) *System {
	_, s := q.findGroup(ref)
	return s
}

// system finds whom a system ref means: @me, a uuid, a Discord account, or a short id.
func (q *request) system(ref string) (*System, error) {
	var s *System
	switch {
	case ref == "@me":
		if q.viewer == nil {
			return nil, ErrUnauthorized
		}
		return q.viewer, nil
	case allDigits(ref):
		s = q.api.w.byAccount(ref)
	case isUUID(ref):
		s = find(q.api.w.systems, func(s *System) bool { return s.uuid == uuidOf(ref) })
	default:
		hid := shortID(ref)
		s = find(q.api.w.systems, func(s *System) bool { return s.hid == hid })
	}
	if s == nil {
		return nil, ErrNoSystem
	}
	return s, nil
}

func (q *request) findMember(ref string) (*member, *System) {
	hid := shortID(ref)
	for _, s := range q.api.w.systems {
		m := find(s.members, func(m *member) bool { return m.hid == hid || m.uuid == uuidOf(ref) })
		if m != nil {
			return m, s
		}
	}
	return nil, nil
}

func (q *request) findGroup(ref string) (*group, *System) {
	hid := shortID(ref)
	for _, s := range q.api.w.systems {
		g := find(s.groups, func(g *group) bool { return g.hid == hid || g.uuid == uuidOf(ref) })
		if g != nil {
			return g, s
		}
	}
	return nil, nil
}

var uuidForm = regexp.MustCompile(`^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|\{[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\})$`)

// isUUID: with dashes, without, or in braces, as PluralKit's gateway, its API and its database all read one.
func isUUID(s string) bool { return uuidForm.MatchString(s) }

// uuidOf is the uuid that a ref means in the form rows have it; empty when it is none.
func uuidOf(ref string) string {
	if !isUUID(ref) {
		return ""
	}
	hex := strings.NewReplacer("-", "", "{", "", "}", "").Replace(strings.ToLower(ref))
	return hex[:8] + "-" + hex[8:12] + "-" + hex[12:16] + "-" + hex[16:20] + "-" + hex[20:]
}

// shortID is the short id that a ref means, in any case; empty when it is none. The gateway takes all dashes out of a
// ref of five to seven characters and looks for the rest; the API behind it wants five or six letters.
func shortID(ref string) string {
	if len(ref) < 5 || len(ref) > 7 {
		return ""
	}
	id := strings.Join(strings.Split(strings.ToLower(ref), "-"), "")
	if !hidForm.MatchString(id) {
		return ""
	}
	return id
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

var instant = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$`)

// before is the parameter, "now" when it is not given; in microseconds, as the database compares.
func (q *request) before() (time.Time, error) {
	v := q.r.URL.Query()
	if !v.Has("before") {
		return stored(q.api.w.now()), nil
	}
	t, err := time.Parse(time.RFC3339Nano, v.Get("before"))
	if err != nil || !instant.MatchString(v.Get("before")) {
		return t, ErrBadRequest
	}
	return stored(t), nil
}

const pageLimit = 100

// limit of a page: 100 when it is missing or more. PluralKit passes a negative one on to the database, which fails.
func (q *request) limit() (int, error) {
	v := q.r.URL.Query()
	if !v.Has("limit") {
		return pageLimit, nil
	}
	n, err := strconv.Atoi(v.Get("limit"))
	switch {
	case err != nil:
		return 0, ErrBadRequest
	case n < 0:
		return 0, ErrInternal
	}
	return min(n, pageLimit), nil
}

// flag is a boolean parameter, false when it is not given; only true and false are booleans, 1 is not.
func (q *request) flag(name string) (bool, error) {
	v := q.r.URL.Query()
	switch {
	case !v.Has(name), strings.EqualFold(v.Get(name), "false"):
		return false, nil
	case strings.EqualFold(v.Get(name), "true"):
		return true, nil
	}
	return false, ErrBadRequest
}
