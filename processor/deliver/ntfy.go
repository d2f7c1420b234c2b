package deliver

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"switchlog/schemas"
)

// ntfy sends a push notification. It publishes as JSON, which goes to the
// server's root with the topic in the body: in headers a title could only be
// ASCII.
var ntfy = provider{
	name: schemas.ProviderNtfy,
	options: []option{
		{"title", checkNtfyTitle},
		{"priority", checkNtfyPriority},
		{"tags", checkNtfyTags},
		{"click", checkImageURL},
	},
	text:        true,
	checkURL:    checkNtfyURL,
	show:        func(u *url.URL) string { return u.Scheme + "://" + u.Host + "/" + hidden }, // the topic is the password
	checkSecret: optionalToken,

	// ntfy.sh takes 60 at once and then one in 5 s of one address. How much is
	// left it does not say.
	gate: func(u *url.URL) string { return u.Host },
	rate: 0.2, burst: 40, flight: 1,

	request: ntfyRequest,
	judge: func(status int, _ []byte) verdict {
		if status == 400 || status == 413 {
			return verdict{fate: refused}
		}
		return verdict{}
	},
}

// maxNtfyBytes is the limit of a message; what is longer becomes an attachment.
const (
	maxNtfyBytes = 4096
	maxNtfyTitle = 250 // characters; ntfy names no limit
	maxNtfyTags  = 5
)

var (
	ntfyTopic = regexp.MustCompile(`^/[-_A-Za-z0-9]{1,64}$`)
	ntfyTag   = regexp.MustCompile(`^[-_+A-Za-z0-9]{1,64}$`)
)

func checkNtfyURL(u *url.URL) error {
	if !ntfyTopic.MatchString(u.EscapedPath()) || u.RawQuery != "" {
		return fmt.Errorf("is not that of a topic (hint: https://ntfy.sh/your-topic)")
	}
	return nil
}

func checkNtfyTitle(s string) error {
	return checkTemplate(s)
}

var ntfyPriorities = map[string]int{"min": 1, "low": 2, "default": 3, "high": 4, "max": 5, "urgent": 5}

func ntfyPriority(s string) int {
	if n, ok := ntfyPriorities[s]; ok {
		return n
	}
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= 5 {
		return n
	}
	return 0
}

func checkNtfyPriority(s string) error {
	if ntfyPriority(s) == 0 {
		return fmt.Errorf("1 to 5, or min, low, default, high, max")
	}
	return nil
}

func checkNtfyTags(s string) error {
	tags := strings.Split(s, ",")
	if len(tags) > maxNtfyTags {
		return fmt.Errorf("at most %d", maxNtfyTags)
	}
	for _, tag := range tags {
		if !ntfyTag.MatchString(tag) {
			return fmt.Errorf("words separated by commas")
		}
	}
	return nil
}

type ntfyMessage struct {
	Topic    string   `json:"topic"`
	Title    string   `json:"title,omitempty"`
	Message  string   `json:"message"`
	Priority int      `json:"priority,omitempty"`
	Tags     []string `json:"tags,omitempty"`
	Click    string   `json:"click,omitempty"`
}

func ntfyRequest(in input) (request, error) {
	v := valuesOf(in.d)
	title, message := ntfyText(in, v)
	m := ntfyMessage{
		Topic:    strings.TrimPrefix(in.url.EscapedPath(), "/"),
		Title:    clip(oneLine(title), maxNtfyTitle),
		Message:  cutBytes(tidy(message), maxNtfyBytes),
		Priority: ntfyPriority(in.sub.Options["priority"]),
		Click:    in.sub.Options["click"],
	}
	if tags := in.sub.Options["tags"]; tags != "" {
		m.Tags = strings.Split(tags, ",")
	}
	body, err := encode(m)
	if err != nil {
		return request{}, err
	}
	h := header("application/json")
	if secret := in.secret(); secret != "" {
		h.Set("Authorization", "Bearer "+secret)
	}
	root := *in.url
	root.Path, root.RawPath = "/", ""
	return request{&root, h, body}, nil
}

// ntfyText is what a person reads: their own words, or a line of ours.
func ntfyText(in input, v *values) (title, message string) {
	switch {
	case in.d.Kind == schemas.DeliveryTest:
		return "Test", testText
	case v.after != nil || v.before != nil:
		title, message = "Switched out", nobody
		if now := v.front(); len(now) > 0 {
			title, message = names(now), names(now)
		}
		if was := names(v.frontBefore()); v.before != nil {
			if was == "" {
				was = nobody
			}
			message = was + " → " + message
		}
	default:
		title, message = strings.ReplaceAll(titleOf(v.d.Event.Route.EventName()), `\`, ""), v.entityName()
		if message == "" {
			message = v.d.Event.Type
		}
	}
	if t := in.sub.Options["title"]; t != "" {
		title = expand(t, v, nil)
	}
	if in.sub.Template != "" {
		message = expand(in.sub.Template, v, nil)
	}
	return title, message
}

// cutBytes cuts s to at most limit bytes, between characters.
func cutBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len(ellipsis)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}
