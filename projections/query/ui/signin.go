package ui

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Cookies. The session is a secret; the others are choices of a person.
const (
	cookieSession  = "switchlog_session"
	cookieDiscreet = "switchlog_discreet"
	cookieFont     = "switchlog_font"
	cookieWords    = "switchlog_words"
	cookieZone     = "switchlog_zone" // set by the page's script, too
)

// signInData is what the sign-in page shows.
type signInData struct {
	To    string // where to go afterwards
	Local bool   // a token may be typed in
	Wrong bool   // the token that was typed in is none
	Used  bool   // the link was used before, or is too old
}

func (h *Handler) signInPage(v *visit) error {
	if _, _, ok := h.who(v.r); ok {
		http.Redirect(v.w, v.r, localPath(v.r.URL.Query().Get("to")), http.StatusSeeOther)
		return nil
	}
	return h.showSignIn(v, http.StatusOK, signInData{To: v.r.URL.Query().Get("to")})
}

func (h *Handler) showSignIn(v *visit, status int, d signInData) error {
	d.To, d.Local = localPath(d.To), h.Local(v.r)
	v.view.Title = "Sign in"
	h.render(v, status, "sign-in", d)
	return nil
}

// signIn takes a token from a form of this machine, and begins a session.
func (h *Handler) signIn(v *visit) error {
	if !h.Local(v.r) {
		return h.showSignIn(v, http.StatusForbidden, signInData{})
	}
	if err := readForm(v); err != nil {
		return err
	}
	if h.wrong.TokensAt(h.Now()) < 1 {
		return errTooMany
	}
	token := sha256.Sum256([]byte(strings.TrimSpace(v.r.PostForm.Get("token"))))
	reader, ok := h.Reader(token)
	if !ok || reader.Public {
		h.wrong.AllowN(h.Now(), 1)
		return h.showSignIn(v, http.StatusUnauthorized, signInData{To: v.r.PostForm.Get("to"), Wrong: true})
	}
	h.begin(v, token)
	http.Redirect(v.w, v.r, localPath(v.r.PostForm.Get("to")), http.StatusSeeOther)
	return nil
}

// openLink signs in by a link that works once.
func (h *Handler) openLink(v *visit) error {
	if v.r.Method != http.MethodGet {
		return errNotFound // a look ahead does not use it up
	}
	token, ok := h.sessions.redeem(v.r.PathValue("code"))
	if ok {
		_, ok = h.Reader(token)
	}
	if !ok {
		return h.showSignIn(v, http.StatusUnauthorized, signInData{Used: true})
	}
	h.begin(v, token)
	http.Redirect(v.w, v.r, "/", http.StatusSeeOther)
	return nil
}

// OpenLink makes the path of a link that signs in once as the reader of the
// token with that hash, within ten minutes.
func (h *Handler) OpenLink(token [32]byte) (path string, expires time.Time) {
	code, expires := h.sessions.link(token)
	return "/ui/open/" + code, expires
}

func (h *Handler) signOut(v *visit) error {
	if c, err := v.r.Cookie(cookieSession); err == nil {
		h.sessions.end(c.Value)
	}
	v.cookie(cookieSession, "", -1)
	http.Redirect(v.w, v.r, "/ui/sign-in", http.StatusSeeOther)
	return nil
}

func (h *Handler) begin(v *visit, token [32]byte) {
	if c, err := v.r.Cookie(cookieSession); err == nil {
		h.sessions.end(c.Value) // a browser has one
	}
	v.cookie(cookieSession, h.sessions.start(token), int(sessionLife.Seconds()))
}

// cookie sets a cookie that no script sees and no other site sends.
func (v *visit) cookie(name, value string, maxAge int) {
	http.SetCookie(v.w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: name != cookieZone, SameSite: http.SameSiteStrictMode,
		Secure: v.r.TLS != nil || v.r.Header.Get("X-Forwarded-Proto") == "https",
	})
}

// choice keeps what a person chose for a year; an empty value forgets it.
func (v *visit) choice(name, value string) {
	if value == "" {
		v.cookie(name, "", -1)
		return
	}
	v.cookie(name, url.QueryEscape(value), 365*24*60*60)
}

// chosen is what a person chose, or empty.
func chosen(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	text, err := url.QueryUnescape(c.Value)
	if err != nil || len(text) > maxChoiceBytes {
		return ""
	}
	return text
}

const maxChoiceBytes = 200

// setDiscreet turns discreet mode on or off, and goes back to the page.
func (h *Handler) setDiscreet(v *visit) error {
	if err := readForm(v); err != nil {
		return err
	}
	value := ""
	if v.r.PostForm.Get("on") == "true" {
		value = "1"
	}
	v.choice(cookieDiscreet, value)
	http.Redirect(v.w, v.r, localPath(v.r.PostForm.Get("to")), http.StatusSeeOther)
	return nil
}

func readForm(v *visit) error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxFormBytes)
	if err := v.r.ParseForm(); err != nil {
		return badRequest("This form cannot be read.")
	}
	return nil
}
