package registry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"switchlog/schemas"
)

const (
	maxCommandBytes = 64 << 10
	commandTimeout  = 10 * time.Second
)

// rotation is the body of a rotate command.
type rotation struct {
	Secrets map[string]string `json:"secrets"`
	Grace   *string           `json:"grace"` // a duration like 10m; left out: DefaultGrace
}

// NewHandler serves the commands that change the registry, below
// /api/admin/sources. It does not ask who is calling: mount it behind the
// admin token, on the private listener.
//
//	POST   /api/admin/sources                       NewSource → 201 Added
//	GET    /api/admin/sources                       → 200 [SourceStatus]
//	GET    /api/admin/sources/{kind}/{name}         → 200 SourceStatus
//	POST   /api/admin/sources/{kind}/{name}/rotate  {"secrets":{…},"grace":"10m"} → 200 Rotated
//	POST   /api/admin/sources/{kind}/{name}/test    → 200 Tested, also if the test went wrong
//	DELETE /api/admin/sources/{kind}/{name}         → 204
//
// Errors are {"error":"…"}: 400 for a faulty command, 404, 409 for a name,
// tenant or token that is taken, 503 if it could not be made durable. No
// answer holds a secret.
func NewHandler(r *Registry) http.Handler {
	h := sourcesHandler{r}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/admin/sources", h.add)
	mux.HandleFunc("GET /api/admin/sources", h.list)
	mux.HandleFunc("GET /api/admin/sources/{kind}/{name}", h.show)
	mux.HandleFunc("POST /api/admin/sources/{kind}/{name}/rotate", h.rotate)
	mux.HandleFunc("POST /api/admin/sources/{kind}/{name}/test", h.test)
	mux.HandleFunc("DELETE /api/admin/sources/{kind}/{name}", h.remove)
	return mux
}

type sourcesHandler struct{ *Registry }

func (h sourcesHandler) add(w http.ResponseWriter, r *http.Request) {
	var n NewSource
	if err := readCommand(w, r, &n); err != nil {
		h.fail(w, err)
		return
	}
	ctx, cancel := commandContext(r)
	defer cancel()
	added, err := h.Add(ctx, n)
	if err != nil {
		h.fail(w, err)
		return
	}
	reply(w, http.StatusCreated, added)
}

func (h sourcesHandler) list(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, h.Sources())
}

func (h sourcesHandler) show(w http.ResponseWriter, r *http.Request) {
	s, err := h.Source(r.PathValue("kind"), r.PathValue("name"))
	if err != nil {
		h.fail(w, err)
		return
	}
	reply(w, http.StatusOK, s)
}

func (h sourcesHandler) rotate(w http.ResponseWriter, r *http.Request) {
	var c rotation
	if err := readCommand(w, r, &c); err != nil {
		h.fail(w, err)
		return
	}
	grace := DefaultGrace
	if c.Grace != nil {
		var err error
		if grace, err = time.ParseDuration(*c.Grace); err != nil {
			h.fail(w, invalid("grace is not a duration like 10m or 0s"))
			return
		}
	}
	ctx, cancel := commandContext(r)
	defer cancel()
	rotated, err := h.Rotate(ctx, r.PathValue("kind"), r.PathValue("name"), c.Secrets, grace)
	if err != nil {
		h.fail(w, err)
		return
	}
	reply(w, http.StatusOK, rotated)
}

func (h sourcesHandler) test(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	tested, err := h.Test(ctx, r.PathValue("kind"), r.PathValue("name"))
	if err != nil {
		h.fail(w, err)
		return
	}
	reply(w, http.StatusOK, tested)
}

func (h sourcesHandler) remove(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := commandContext(r)
	defer cancel()
	if err := h.Remove(ctx, r.PathValue("kind"), r.PathValue("name")); err != nil {
		h.fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// commandContext lets a command end though its caller hangs up.
func commandContext(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), commandTimeout)
}

// readCommand reads one JSON object without unknown members. Its errors do
// not quote the body: there are secrets in it.
func readCommand(w http.ResponseWriter, r *http.Request, to any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCommandBytes))
	d.DisallowUnknownFields()
	err := d.Decode(to)
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		return errTooLarge
	case errors.As(err, &wrongType):
		return invalid(wrongType.Field + " has the wrong type")
	case err != nil && strings.HasPrefix(err.Error(), "json: unknown field"):
		return invalid("the body has a member that is not known")
	case err != nil:
		return invalid("the body is not a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("there is something after the JSON object")
	}
	return nil
}

// errTooLarge: the body is larger than maxCommandBytes.
var errTooLarge = errors.New("body too large")

// invalidError is schemas.ErrInvalid with a sentence of its own.
type invalidError string

func invalid(sentence string) error         { return invalidError(sentence) }
func (e invalidError) Error() string        { return string(e) }
func (e invalidError) Is(target error) bool { return target == schemas.ErrInvalid }

// fail is the one place where a command's error becomes an answer. Faults of
// the caller are ours to word, and say what to do; all others stay inside.
func (h sourcesHandler) fail(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		answer(w, http.StatusRequestEntityTooLarge, "body too large")
	case errors.Is(err, schemas.ErrInvalid):
		answer(w, http.StatusBadRequest, strings.TrimPrefix(err.Error(), schemas.ErrInvalid.Error()+": "))
	case errors.Is(err, schemas.ErrNotFound):
		answer(w, http.StatusNotFound, strings.TrimPrefix(err.Error(), schemas.ErrNotFound.Error()+": "))
	case errors.Is(err, schemas.ErrConflict):
		answer(w, http.StatusConflict, strings.TrimPrefix(err.Error(), schemas.ErrConflict.Error()+": "))
	case errors.Is(err, schemas.ErrUncertain):
		h.Log.Error("a command was not carried out, and may be by the next start", "err", err)
		answer(w, http.StatusServiceUnavailable, uncertain)
	default:
		h.Log.Error("a command was not carried out", "err", err)
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, "this could not be made durable; nothing has changed, try again")
	}
}

// uncertain is what is said of schemas.ErrUncertain.
const uncertain = "this could not be made durable, nor taken back: it has not happened, and may after the next start " +
	"(hint: look what there is before you try again; the server's disk refuses to write)"

// answer writes the answer to a request that failed.
func answer(w http.ResponseWriter, status int, sentence string) {
	body, err := json.Marshal(map[string]string{"error": sentence})
	if err != nil {
		panic(err) // a string is always JSON
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that hung up does not want it
}

func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own structs
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that hung up does not want it
}
