package ui

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Sign-in attempts with a wrong token: so many at once, then one in this time.
// Tokens are too long to guess; the limit keeps guessing from costing anything.
const (
	maxWrongTokens  = 10
	wrongTokenEvery = 6 * time.Second
)

const maxFormBytes = 16 << 10

// Handler serves the dashboard.
type Handler struct {
	Config
	mux      http.Handler
	pages    *pages
	assets   map[string]asset
	sessions *sessions
	watchers watchers
	wrong    *rate.Limiter // sign-ins with a wrong token
	words    words
}

// New makes the dashboard. It goes to "GET /{$}" and "/ui/" of the private
// listener.
func New(c Config) *Handler {
	h := &Handler{Config: c.withDefaults()}
	h.sessions = newSessions(h.Now)
	h.watchers = watchers{max: h.MaxStreams, all: map[string]map[chan struct{}]bool{}}
	h.wrong = rate.NewLimiter(rate.Every(wrongTokenEvery), maxWrongTokens)
	h.words = parseWords(h.Words)
	h.assets = loadAssets()
	h.pages = loadPages(h.assets)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /ui/assets/{name}", h.serveAsset)
	mux.HandleFunc("GET /ui/sign-in", h.open(h.signInPage))
	mux.HandleFunc("POST /ui/sign-in", h.open(h.signIn))
	mux.HandleFunc("GET /ui/open/{code}", h.open(h.openLink))
	mux.HandleFunc("POST /ui/sign-out", h.open(h.signOut))
	mux.HandleFunc("POST /ui/discreet", h.open(h.setDiscreet))
	for pattern, page := range map[string]func(*visit, string) error{
		"GET /ui/public/{$}": h.publicPage, "GET /ui/public/{token}": h.publicPage, "GET /ui/public/{token}/live": h.publicStream,
		"GET /ui/overlay/{$}": h.overlayPage, "GET /ui/overlay/{token}": h.overlayPage,
	} {
		mux.HandleFunc(pattern, h.public(page))
	}
	for pattern, page := range map[string]pageFunc{
		"GET /{$}":                       h.home,
		"GET /ui/{$}":                    h.home,
		"GET /ui/":                       func(*visit) error { return errNotFound },
		"GET /ui/systems/{system}/{$}":   h.frontPage,
		"GET /ui/systems/{system}/front": h.frontPage,
		"GET /ui/systems/{system}/live":  h.frontStream,

		"GET /ui/systems/{system}/timeline":      h.timelinePage,
		"GET /ui/systems/{system}/members":       h.membersPage,
		"GET /ui/systems/{system}/members/{ref}": h.memberPage,
		"GET /ui/systems/{system}/groups":        h.groupsPage,
		"GET /ui/systems/{system}/groups/{ref}":  h.groupPage,
		"GET /ui/systems/{system}/statistics":    h.statsPage,
		"GET /ui/systems/{system}/events":        h.eventsPage,
		"GET /ui/systems/{system}/events/live":   h.eventsStream,
		"GET /ui/display":                        h.settingsPage,
		"POST /ui/display":                       h.setSettings,
		"GET /ui/help":                           h.helpPage,
		"GET /ui/help/{document}":                h.helpPage,

		"GET /ui/sources":                   h.operator(h.sourcesPage),
		"GET /ui/webhooks":                  h.operator(h.webhooksPage),
		"GET /ui/webhooks/{webhook}":        h.operator(h.webhookPage),
		"POST /ui/webhooks/{webhook}/test":  h.operator(h.testWebhook),
		"POST /ui/webhooks/{webhook}/retry": h.operator(h.retryDelivery),
		"GET /ui/access":                    h.operator(h.accessPage),
		"POST /ui/access":                   h.operator(h.addReader),
		"POST /ui/access/{name}/revoke":     h.operator(h.revokeReader),
	} {
		mux.HandleFunc(pattern, h.page(page))
	}
	h.mux = secure(http.NewCrossOriginProtection().Handler(mux), h.ShowAvatars)
	return h
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// secure sets the headers that every answer has.
func secure(next http.Handler, showAvatars bool) http.Handler {
	images := "'self'"
	if showAvatars {
		images += " https:"
	}
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; img-src " + images +
		"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("X-Frame-Options", "DENY")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("X-Robots-Tag", "noindex, nofollow")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// visit is one request for a page.
type visit struct {
	w      http.ResponseWriter
	r      *http.Request
	reader Reader
	token  [32]byte // hash of the token the reader was found by
	view   view
	again  func() bool // reports whether the reader may still see a stream
}

// pageFunc answers a request, or returns why not; then nothing has been written.
type pageFunc func(v *visit) error

// open serves a page that anybody may ask for.
func (h *Handler) open(page pageFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r}
		v.view = h.newView(v)
		if err := page(v); err != nil {
			h.fail(v, err)
		}
	}
}

// page serves a page to a reader that may see it.
func (h *Handler) page(page pageFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r}
		var known bool
		v.reader, v.token, known = h.who(r)
		if !known || v.reader.Public {
			v.view = h.newView(v)
			h.turnAway(v)
			return
		}
		if system := r.PathValue("system"); system != "" && v.reader.System != "" && system != v.reader.System {
			v.view = h.newView(v)
			h.fail(v, errNotFound) // whatever there is (P7)
			return
		}
		v.view = h.newView(v)
		if err := page(v); err != nil {
			h.fail(v, err)
		}
	}
}

// who finds the reader: by a bearer token, or by the cookie of a session whose
// token is still good.
func (h *Handler) who(r *http.Request) (reader Reader, token [32]byte, ok bool) {
	if scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		token = sha256.Sum256([]byte(strings.TrimSpace(text)))
	} else if c, err := r.Cookie(cookieSession); err != nil {
		return reader, token, false
	} else if token, ok = h.sessions.find(c.Value); !ok {
		return reader, token, false
	}
	reader, ok = h.Reader(token)
	return reader, token, ok
}

// turnAway sends who is not signed in to the sign-in. A program, and a stream,
// get a plain 401.
func (h *Handler) turnAway(v *visit) {
	switch {
	case strings.HasSuffix(v.r.URL.Path, "/live"):
		h.endStream(v)
	case v.r.Header.Get("Authorization") != "" || v.r.Method != http.MethodGet:
		v.w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(v.w, "a reader's token is wanted (hint: switchlog open)", http.StatusUnauthorized)
	default:
		to := "/ui/sign-in"
		if v.r.URL.Path != "/" {
			to += "?to=" + url.QueryEscape(v.r.URL.RequestURI())
		}
		http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	}
}

// fail shows an error as a page; what is our fault is logged, and the page says
// nothing of it.
func (h *Handler) fail(v *visit, err error) {
	status, says := http.StatusInternalServerError, "Something went wrong on this server. Its log says what."
	var invalid badRequest
	var refused Refused
	switch {
	case v.r.Context().Err() != nil:
		return // nobody is there to read it
	case errors.Is(err, errNotFound):
		status, says = http.StatusNotFound, "There is nothing here, or nothing you may see."
	case errors.Is(err, errTooMany):
		status, says = http.StatusTooManyRequests, "Too many tries. Wait a minute, then try again."
		v.w.Header().Set("Retry-After", "60")
	case errors.As(err, &invalid):
		status, says = http.StatusBadRequest, string(invalid)
	case errors.As(err, &refused):
		status, says = http.StatusConflict, string(refused)
	default:
		h.Logger.Error("dashboard", "path", v.r.URL.Path, "err", err)
	}
	v.view.Title = http.StatusText(status)
	h.render(v, status, "error", says)
}

// badRequest is what a person typed wrong, as a sentence for her.
type badRequest string

func (b badRequest) Error() string { return string(b) }

var errTooMany = errors.New("too many tries")

// localPath is a path of ours to go to; anything else becomes the first page.
func localPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsAny(to, "\\\r\n\t") || u.Path != "/" && !strings.HasPrefix(u.Path, "/ui/") {
		return "/"
	}
	return u.RequestURI()
}
