package processor

import (
	"fmt"
	"strconv"
	"strings"
)

// adminInConf is the line of nats.conf that names the users of the account APP.
const adminInConf = "    users: [{ user: admin, password: $SWITCHLOG_NATS_PASSWORD }]\n"

// ConfWithUsers is nats.conf for a NATS server of one's own, with these users besides admin: they may do
// there what they may do in the server inside us. Passwords should be bcrypt hashes.
func ConfWithUsers(users []User) (string, error) {
	if strings.Count(natsConf, adminInConf) != 1 {
		panic("processor: nats.conf does not name the users of APP in the usual line")
	}
	var b strings.Builder
	b.WriteString("    users: [\n      { user: admin, password: $SWITCHLOG_NATS_PASSWORD }\n")
	for _, u := range users {
		if err := u.check(); err != nil {
			return "", err
		}
		publish, subscribe := only(u.Publish, u.DenyPublish), only(u.Subscribe, u.DenySubscribe)
		fmt.Fprintf(&b, "      {\n        user: %s, password: %s\n        permissions: {\n", strconv.Quote(u.Name), strconv.Quote(u.Password))
		fmt.Fprintf(&b, "          publish: { allow: %s, deny: %s }\n", list(publish.Allow), list(publish.Deny))
		fmt.Fprintf(&b, "          subscribe: { allow: %s, deny: %s }\n        }\n      }\n", list(subscribe.Allow), list(subscribe.Deny))
	}
	b.WriteString("    ]\n")
	return strings.Replace(natsConf, adminInConf, b.String(), 1), nil
}

func list(subjects []string) string {
	var all []string
	for _, s := range subjects {
		all = append(all, strconv.Quote(s))
	}
	return "[" + strings.Join(all, ", ") + "]"
}
