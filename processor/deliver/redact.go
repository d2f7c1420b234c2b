package deliver

import (
	"cmp"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"switchlog/schemas"
)

// minSecretText is how long a part of a URL must be to be hidden wherever it
// is met: hiding every "in" would make an answer unreadable.
const minSecretText = 8

// redactor takes secrets out of what receivers say: many repeat what they
// were asked.
type redactor struct{ replacer *strings.Replacer }

func newRedactor(p provider, u *url.URL, secrets []string) redactor {
	found := map[string]bool{}
	add := func(s string, least int) {
		if len(s) < least {
			return
		}
		for _, form := range []string{s, strings.ReplaceAll(s, "/", `\/`), url.QueryEscape(s), url.PathEscape(s),
			base64.StdEncoding.EncodeToString([]byte(s))} {
			found[form] = true
		}
	}
	for _, secret := range secrets {
		add(secret, 1)
		add(strings.TrimPrefix(secret, standardSecretPrefix), minSecretText)
	}
	// Of the URL, whatever people are not shown either.
	shown := p.show(u)
	if strings.HasSuffix(shown, "/"+hidden) {
		add(strings.Trim(u.EscapedPath(), "/"), minSecretText)
		add(u.RequestURI(), minSecretText)
	}
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		if !strings.Contains(shown, part) {
			add(part, minSecretText)
		}
	}
	for name, values := range u.Query() {
		for _, v := range append(values, name) {
			if !strings.Contains(shown, v) {
				add(v, minSecretText)
			}
		}
	}
	forms := make([]string, 0, len(found))
	for s := range found {
		forms = append(forms, s)
	}
	// The longest first: a secret may be a part of another.
	slices.SortFunc(forms, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	var pairs []string
	for _, s := range forms {
		pairs = append(pairs, s, hidden)
	}
	return redactor{strings.NewReplacer(pairs...)}
}

// response is what is kept of an answer's body: valid text without secrets,
// its first characters. Secrets go before it is cut, so none is cut in two.
// What a terminal would obey goes too: people read it in one.
func (r redactor) response(body []byte) string {
	text := visible(string(body))
	return clip(r.replacer.Replace(text), schemas.MaxResponseChars)
}
