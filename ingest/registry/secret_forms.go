package registry

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"switchlog/schemas"
)

// wrappers are what people copy together with a secret: quotes of a settings
// file, the marks with which a chat shows code, spoilers and bold text.
var wrappers = [][2]string{
	{`"`, `"`}, {`'`, `'`}, {"`", "`"}, {"||", "||"}, {"**", "**"}, {"“", "”"}, {"„", "“"}, {"‘", "’"}, {"«", "»"}, {"<", ">"},
}

// headerLine is what stands before a token in a copied header.
var headerLine = regexp.MustCompile(`(?i)^authorization:\s*`)

// Unwrap takes off what surrounds a secret and is no part of it: white space,
// marks without width such as a byte order mark, and pairs of wrappers.
func Unwrap(s string) string {
	for {
		before := s
		s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
		for _, w := range wrappers {
			if inner, ok := strings.CutPrefix(s, w[0]); ok && len(inner) > len(w[1]) && strings.HasSuffix(inner, w[1]) {
				s = strings.TrimSuffix(inner, w[1])
			}
		}
		if s == before {
			return s
		}
	}
}

// cleanSecret reads a secret as a person got it, and checks that it can be
// one. What is surely not meant is taken off; what could be meant otherwise is
// refused, with what is wrong.
func cleanSecret(s string, spec SecretSpec) (string, error) {
	s = Unwrap(s)
	if spec.Authorization {
		s = Unwrap(headerLine.ReplaceAllString(s, ""))
	}
	if spec.Clean != nil {
		s = spec.Clean(s)
	}
	wrong := func(says string) (string, error) {
		return "", fmt.Errorf("%w: %s %s", schemas.ErrInvalid, spec.Purpose, says)
	}
	switch {
	case s == "":
		return wrong("is empty")
	case len(s) > maxSecretBytes:
		return wrong(fmt.Sprintf("is longer than %d bytes", maxSecretBytes))
	case strings.ContainsFunc(s, func(r rune) bool { return (r <= ' ' || r >= 0x7f) && !strings.ContainsRune(spec.Inside, r) }):
		return wrong("has white space, control characters or letters that are not ASCII inside (hint: copy it alone, without what stands around it)")
	case spec.Inside == "" && strings.ContainsAny(s[:1]+s[len(s)-1:], "\"'`|<>"):
		return wrong("begins or ends with a mark that stands around text (hint: copy it whole, without quotes, backticks and ||)")
	}
	return s, nil
}

// KeyLines is the form of secrets of Standard Webhooks: keys in base64 with a
// prefix, one or more.
type KeyLines struct {
	Prefix   string
	Most     int
	CheckKey func(key []byte) error
	Others   map[string]string // prefixes of what it is not, and what that is
}

// NoSigningSecrets are what people give in place of a signing secret.
var NoSigningSecrets = map[string]string{
	"whpk_": "a public key (hint: give it as the public key)",
	"whsk_": "the sender's private key, which nobody else should have (hint: give the public key, whpk_…)",
}

// signingSecret is that of an outgoing webhook: one.
var signingSecret = KeyLines{Prefix: SigningPrefix, Most: 1, CheckKey: CheckSigningSecret, Others: NoSigningSecrets}

// CheckSigningSecret wants what the specification wants. The reference
// library takes an empty secret, with which anybody can sign.
func CheckSigningSecret(key []byte) error {
	if len(key) < 24 || len(key) > 64 {
		return fmt.Errorf("is a secret of %d bytes; it must have 24 to 64 (hint: whsec_ and the base64 of that many random bytes)", len(key))
	}
	return nil
}

// A version of the scheme stands before a key in some places, and the name of
// a setting in others.
var (
	keyVersion = regexp.MustCompile(`^v1a?,`)
	keySetting = regexp.MustCompile(`^(?:export\s+)?[A-Za-z_][A-Za-z0-9_.-]*\s*[=:]\s*`)
)

// Check reads the keys and writes them in one form, one a line: prefix and
// base64 with its padding.
func (f KeyLines) Check(s string) (string, error) {
	lines := f.split(s)
	if len(lines) > f.Most {
		return "", fmt.Errorf("%w: more than %d lines of %s…", schemas.ErrInvalid, f.Most, f.Prefix)
	}
	if len(lines) == 0 {
		return "", fmt.Errorf("%w: no %s… is in it", schemas.ErrInvalid, f.Prefix)
	}
	for i, line := range lines {
		key, err := f.read(line)
		if len(lines) > 1 && !strings.HasPrefix(line, f.Prefix) {
			err = fmt.Errorf("is not %s and base64 (hint: if it belongs to the line before it, write both as one)", f.Prefix)
		}
		if err != nil {
			return "", fmt.Errorf("%w: line %d %w", schemas.ErrInvalid, i+1, err)
		}
		lines[i] = f.Prefix + base64.StdEncoding.EncodeToString(key)
	}
	return strings.Join(lines, "\n"), nil
}

// split finds the keys: between white space, | and commas, but for the comma
// behind a version.
func (f KeyLines) split(s string) []string {
	var lines []string
	for _, line := range strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = Unwrap(line)
		if name := keySetting.FindString(line); name != "" && strings.HasPrefix(keyVersion.ReplaceAllString(Unwrap(line[len(name):]), ""), f.Prefix) {
			line = Unwrap(line[len(name):])
		}
		for _, part := range strings.FieldsFunc(line, func(r rune) bool { return unicode.IsSpace(r) || r == '|' || r == ';' }) {
			part = keyVersion.ReplaceAllString(Unwrap(part), "")
			for _, key := range strings.Split(part, ",") {
				if key = keyVersion.ReplaceAllString(strings.Trim(Unwrap(key), "\"'`"), ""); key != "" && key != "v1" && key != "v1a" {
					lines = append(lines, key)
				}
			}
		}
	}
	return lines
}

// read decodes one key: base64 or base64url, with its padding or without.
func (f KeyLines) read(line string) ([]byte, error) {
	for prefix, what := range f.Others {
		if strings.HasPrefix(line, prefix) {
			return nil, fmt.Errorf("is not %s but %s", f.Prefix, what)
		}
	}
	text, _ := strings.CutPrefix(line, f.Prefix)
	bare := strings.TrimRight(text, "=")
	if padding := len(text) - len(bare); padding > 0 && len(text)%4 != 0 {
		return nil, fmt.Errorf("is not %s and base64: it has %d = at its end, which is the wrong number (hint: copy it whole)", f.Prefix, padding)
	}
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(bare, "-_") {
		encoding = base64.RawURLEncoding
	}
	key, err := encoding.Strict().DecodeString(bare)
	if err != nil {
		return nil, fmt.Errorf("is not %s and base64 (hint: copy it whole, and nothing else)", f.Prefix)
	}
	return key, f.CheckKey(key)
}
