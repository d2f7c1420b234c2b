package mirror

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"switchlog/schemas"
)

// Root is the path everything here is below.
const Root = "/v2/"

// A route is one path of PluralKit's API and the answer to it.
type route struct {
	pattern string // below Root; also a label of metrics
	answer  func(*request) (body []byte, err error)
}

var routes = []*route{
	{"systems/{ref}", getSystem},
	{"systems/{ref}/settings", getSettings},
	{"systems/{ref}/members", getMembers},
	{"systems/{ref}/groups", getGroups},
	{"systems/{ref}/switches", getSwitches},
	{"systems/{ref}/switches/{uuid}", getSwitch},
	{"systems/{ref}/fronters", getFronters},
	{"systems/{ref}/guilds/{guild}", getSystemGuild},
	{"systems/{ref}/autoproxy", getAutoproxy},
	{"members/{ref}", getMember},
	{"members/{ref}/groups", getMemberGroups},
	{"members/{ref}/guilds/{guild}", getMemberGuild},
	{"groups/{ref}", getGroup},
	{"groups/{ref}/members", getGroupMembers},
	{"messages/{id}", getMessage},
}

// findRoute takes an escaped path apart; nil when there is no such route.
func findRoute(path string) (*route, []string) {
	rest, ok := strings.CutPrefix(path, Root)
	if !ok {
		return nil, nil
	}
	parts := strings.Split(rest, "/")
	for _, r := range routes {
		if args, fits := fit(r.pattern, parts); fits {
			return r, args
		}
	}
	return nil, nil
}

// fit gives what stands at the placeholders of a pattern.
func fit(pattern string, parts []string) (args []string, ok bool) {
	if strings.Count(pattern, "/") != len(parts)-1 {
		return nil, false
	}
	for _, part := range parts {
		var want string
		want, pattern, _ = strings.Cut(pattern, "/")
		if want[0] != '{' {
			if want != part {
				return nil, false
			}
			continue
		}
		arg, err := url.PathUnescape(part)
		if err != nil || arg == "" {
			return nil, false
		}
		args = append(args, arg)
	}
	return args, true
}

func allDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

var instantForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$`)

// before is the parameter of that name in microseconds, or now.
func (q *request) before() (int64, error) {
	if !q.params.Has("before") {
		return q.now().UnixMicro(), nil
	}
	text := q.params.Get("before")
	us, err := schemas.ParseTime(text)
	if err != nil || !instantForm.MatchString(text) {
		return 0, errBadRequest
	}
	return us, nil
}

// pageLimit is how many switches there are in a page at most.
const pageLimit = 100

// limit of a page. PluralKit hands a negative one to its database, which fails.
func (q *request) limit() (int, error) {
	if !q.params.Has("limit") {
		return pageLimit, nil
	}
	n, err := strconv.ParseInt(q.params.Get("limit"), 10, 32)
	switch {
	case err != nil:
		return 0, errBadRequest
	case n < 0:
		return 0, errInternal
	}
	return int(min(n, pageLimit)), nil
}

// flag is a parameter that is true or false, in any case; without it, false.
func (q *request) flag(name string) (bool, error) {
	switch text := q.params.Get(name); {
	case !q.params.Has(name), strings.EqualFold(text, "false"):
		return false, nil
	case strings.EqualFold(text, "true"):
		return true, nil
	}
	return false, errBadRequest
}

// snowflakeTime is when Discord made an id. One that is too long to be an id
// is of the end of time.
func snowflakeTime(id string) time.Time {
	n, err := strconv.ParseUint(id, 10, 63)
	if err != nil {
		n = 1<<63 - 1
	}
	return time.UnixMilli(int64(n>>22) + discordEpochMilli)
}

// discordEpochMilli is the first moment of 2015, from which Discord's ids count.
const discordEpochMilli = 1420070400000
