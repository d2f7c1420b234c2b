package deliver

import (
	"strings"
	"testing"
	"unicode/utf8"

	"switchlog/schemas"
)

func TestRedact(t *testing.T) {
	p, err := providerOf(schemas.ProviderStandard)
	if err != nil {
		t.Fatal(err)
	}
	const secret = "whsec_ab/cd+ef/ghijklmnopqrstuv=="
	u := mustURL(t, "https://example.com/hooks/Zk3b8Qm2Xv9tLr5w/in?token=v%2Fal-ue1234&x=1")
	red := newRedactor(p, u, []string{secret})
	for body, want := range map[string]string{
		"nothing to hide":                       "nothing to hide",
		"in hooks":                              "in hooks", // short parts are not hidden alone
		"got " + secret + ".":                   "got ***.",
		`"ab\/cd+ef\/ghijklmnopqrstuv=="`:       `"***"`,
		"ab%2Fcd%2Bef%2Fghijklmnopqrstuv%3D%3D": "***",
		"at /hooks/Zk3b8Qm2Xv9tLr5w/in":         "at /***",
		"at hooks/Zk3b8Qm2Xv9tLr5w":             "at hooks/***",
		"token=v%2Fal-ue1234":                   "token=***",
		"token=v/al-ue1234":                     "token=***",
		"bad \xff utf-8\x00":                    "bad � utf-8",
		"\x1b]0;owned\x07 \u009b2J\r\n\tx":      "]0;owned 2J\n\tx",
	} {
		if got := red.response([]byte(body)); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
	// A secret across the place where it is cut is not cut in two.
	body := strings.Repeat("é", schemas.MaxResponseChars-10) + secret
	got := red.response([]byte(body))
	if strings.Contains(got, "whsec") || strings.Contains(got, "ab/cd") || utf8.RuneCountInString(got) != schemas.MaxResponseChars-7 {
		t.Errorf("got %q at the end", got[len(got)-40:])
	}
}
