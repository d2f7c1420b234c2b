package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

// client speaks to a running server's private listener.
type client struct {
	cmd   *cobra.Command // whose flags say which server
	base  string         // empty until the first request
	token string
	http  *http.Client
}

// newClient makes a client of the server that --server and --admin-token-file
// name, or else the data directory. It is looked for at the first request.
func newClient(cmd *cobra.Command) *client {
	// A replay or a rebuild takes as long as it takes; only connecting is
	// bounded.
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	return &client{cmd: cmd, http: &http.Client{Transport: transport}}
}

// locate finds the server.
func (c *client) locate() error {
	data, _ := c.cmd.Flags().GetString("data")
	base, _ := c.cmd.Flags().GetString("server")
	tokenFile, _ := c.cmd.Flags().GetString("admin-token-file")
	if base == "" {
		e, err := readEndpoints(data)
		if err != nil {
			return err
		}
		base = e.Private
	}
	base, err := serverURL(base)
	if err != nil {
		return err
	}
	if tokenFile == "" {
		tokenFile = filepath.Join(data, fileAdmin)
	}
	if c.token, err = readToken(tokenFile); err != nil {
		return fmt.Errorf("admin token: %w (hint: --admin-token-file F, or --data DIR of the server)", err)
	}
	c.base = base
	return nil
}

// serverURL reads --server. A person may leave out http://.
func serverURL(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%w: --server is the address of a private listener (hint: --server http://127.0.0.1:8081)", errUsage)
	}
	return strings.TrimSuffix(text, "/"), nil
}

// readEndpoints finds the server that runs on a data directory.
func readEndpoints(data string) (Endpoints, error) {
	var e Endpoints
	b, err := os.ReadFile(filepath.Join(data, fileEndpoints))
	if errors.Is(err, os.ErrNotExist) {
		return e, noServer(data)
	}
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("%s: %w", fileEndpoints, err)
	}
	return e, nil
}

// noServer tells a server that does not run from a folder that is none: to
// start one there would make a second, empty server.
func noServer(data string) error {
	path, err := filepath.Abs(data)
	if err != nil {
		path = data
	}
	if _, err := os.Stat(filepath.Join(path, fileSpool)); err == nil {
		return fmt.Errorf("no server runs on %s (hint: start it with: switchlog serve --data %[1]s)", path)
	}
	return fmt.Errorf("no server runs on %s, and none ever did (hint: is this the wrong folder? --data DIR names the server's; to begin: switchlog serve --data %[1]s)", path)
}

// do sends a request and returns the answer's body, which the caller closes.
// An answer that is no success becomes an error with the server's sentence; of
// errUsage if the server refused a value.
func (c *client) do(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	if c.base == "" {
		if err := c.locate(); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if res.StatusCode/100 == 2 {
		return res.Body, nil
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	err = errors.Join(err, res.Body.Close())
	says := refusalWords(b)
	switch {
	case says == "":
		return nil, errors.Join(fmt.Errorf("%s answers %s (hint: is it switchlog's private listener?)", c.base, res.Status), err)
	case says == "not found":
		// The public listener's words: the private one says what there is not.
		return nil, notFoundError{fmt.Errorf("%s does not know this command (hint: --server wants the private address; is it the public one, or an older server?)", c.base)}
	case res.StatusCode == http.StatusBadRequest:
		return nil, refusedError{errors.New(says)}
	case res.StatusCode == http.StatusConflict:
		return nil, conflictError{errors.New(says)}
	case res.StatusCode == http.StatusNotFound:
		return nil, notFoundError{errors.New(says)}
	}
	return nil, errors.New(says)
}

// conflictError is the server's sentence for what is taken already.
type conflictError struct{ error }

// notFoundError is the server's sentence for what there is not, or not for who
// asks.
type notFoundError struct{ error }

// unreachable says why no answer came.
func (c *client) unreachable(err error) error {
	var cause *url.Error
	if errors.As(err, &cause) {
		err = cause.Err // without method and address
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		err = errors.New("nothing listens there")
	}
	return fmt.Errorf("the server at %s does not answer: %w (hint: is it running? switchlog serve)", c.base, err)
}

// refusalWords are the sentence in the body of an answer that is no success.
// The management API's words for programs become those of the shell.
func refusalWords(body []byte) string {
	var fault struct {
		Error   string `json:"error"`
		Details []struct {
			Path    []string `json:"path"`
			Message string   `json:"message"`
		} `json:"details"`
		InvalidEvents []string `json:"invalidEvents"`
		OwnerOnly     bool     `json:"ownerOnly"` // these events there are, for webhooks that are owner-only
	}
	if json.Unmarshal(body, &fault) != nil || fault.Error == "" {
		return ""
	}
	var says []string
	for _, d := range fault.Details {
		where := strings.Join(d.Path, ".")
		if flag, ok := flagOfMember[where]; ok {
			where = "--" + flag
		}
		if d.Message == "Required" {
			d.Message = "is needed"
		}
		says = append(says, strings.TrimPrefix(strings.Join([]string{where, d.Message}, " "), " "))
	}
	for _, e := range fault.InvalidEvents {
		says = append(says, "there is no event "+strconv.Quote(e))
	}
	switch {
	case fault.OwnerOnly:
		return terminal.Plain(strings.Join(fault.InvalidEvents, ", ") + ": " + fault.Error)
	case len(fault.InvalidEvents) > 0:
		return terminal.Plain(strings.Join(says, "; ")) + " (hint: switchlog webhook events)"
	case len(says) > 0:
		return terminal.Plain(strings.Join(says, "; "))
	}
	return terminal.Plain(fault.Error)
}

// flagOfMember are the flags by which the shell gives members of a webhook.
var flagOfMember = map[string]string{
	"url": "url", "events": "event", "secret": "secret-file", "serverId": "server-id", "ownerOnly": "owner-only",
	"options": "option", "variables": "variable", "name": "name", "source": "source", "tenant": "tenant",
	"condition": "condition", "template": "template", "rate": "rate", "ordered": "ordered", "debounce": "debounce", "from": "from", "to": "to",
}

// call sends in (nil: nothing) as JSON and reads the answer into out (nil:
// thrown away).
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	answer, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	if out == nil {
		return nil
	}
	return decode(answer, out)
}

// decode reads one JSON document.
func decode(r io.Reader, out any) error {
	d := json.NewDecoder(r)
	d.UseNumber() // microseconds do not fit a float
	return d.Decode(out)
}

// printJSON writes v as one indented JSON document.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(terminal.PlainJSON(w)) // which writes the document at once
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
