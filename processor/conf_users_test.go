package processor

import (
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// A NATS server of one's own that reads the configuration has the users that the one inside has, with the
// same rights.
func TestConfWithUsers(t *testing.T) {
	users := []User{
		{Name: "overlay", Password: "$2a$04$abcdefghijklmnopqrstuuWj8Yl1XgcY6u6mUqXQX0q7w8Z3u1a2C", Publish: []string{"switchlog.query.pluralkit.a.*"}, Subscribe: []string{"_INBOX_overlay.>"}},
		{Name: "job", Password: "r1e5", Publish: []string{"switchlog.query.*.*.*"}, Subscribe: []string{"events.*.*.>"}, DenySubscribe: []string{"events.switchlog.>"}},
		{Name: "nothing", Password: "r2"},
	}
	text, err := ConfWithUsers(users)
	if err != nil {
		t.Fatal(err)
	}
	read := &server.Options{}
	if err := read.ProcessConfigString(placeholders + text); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	inside, err := ServerConfig{StoreDir: t.TempDir(), AdminPassword: "unset", SysPassword: "unset", Users: users}.options()
	if err != nil {
		t.Fatal(err)
	}
	rights := func(o *server.Options) map[string]server.Permissions {
		all := map[string]server.Permissions{}
		for _, u := range o.Users {
			var p server.Permissions
			if u.Permissions != nil {
				p = *u.Permissions
				for _, s := range []*server.SubjectPermission{p.Publish, p.Subscribe} { // empty lists are none
					if len(s.Allow) == 0 {
						s.Allow = nil
					}
					if len(s.Deny) == 0 {
						s.Deny = nil
					}
				}
			}
			all[u.Account.GetName()+"/"+u.Username+"/"+u.Password] = p
		}
		return all
	}
	if got, want := rights(read), rights(inside); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if len(read.Users) != 5 || strings.Contains(text, `"unset"`) {
		t.Errorf("%d users, want 5", len(read.Users))
	}
	if _, err := ConfWithUsers([]User{{Name: "admin", Password: "x"}}); err == nil {
		t.Error("a second admin is taken")
	}
}
