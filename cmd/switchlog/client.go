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
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// client speaks to a running server's private listener.
type client struct {
	base  string
	token string
	http  *http.Client
}

// ownTokenFlag marks commands whose --token-file is a source's token; there
// the admin token's file is --admin-token-file.
const ownTokenFlag = "switchlog.own-token-file"

func adminTokenFlag(cmd *cobra.Command) string {
	if cmd.Annotations[ownTokenFlag] != "" {
		return "admin-token-file"
	}
	return "token-file"
}

// clientFlags gives every command without subcommands the flag that names the
// admin token's file.
func clientFlags(cmd *cobra.Command) {
	if !cmd.HasSubCommands() && cmd.Name() != "serve" {
		cmd.Flags().String(adminTokenFlag(cmd), "", "file with the admin token for --server (default: admin.token in --data)")
	}
	for _, sub := range cmd.Commands() {
		clientFlags(sub)
	}
}

// newClient finds the server: --server and --token-file, or what the data
// directory says.
func newClient(cmd *cobra.Command) (*client, error) {
	data, _ := cmd.Flags().GetString("data")
	base, _ := cmd.Flags().GetString("server")
	tokenFile, _ := cmd.Flags().GetString(adminTokenFlag(cmd))
	if base == "" {
		e, err := readEndpoints(data)
		if err != nil {
			return nil, err
		}
		base = e.Private
	}
	if tokenFile == "" {
		tokenFile = filepath.Join(data, fileAdmin)
	}
	token, err := readToken(tokenFile)
	if err != nil {
		return nil, fmt.Errorf("admin token: %w (hint: --token-file F, or --data DIR of the server)", err)
	}
	// A replay or a rebuild takes as long as it takes; only connecting is
	// bounded.
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	return &client{base: strings.TrimSuffix(base, "/"), token: token, http: &http.Client{Transport: transport}}, nil
}

func readEndpoints(data string) (Endpoints, error) {
	var e Endpoints
	b, err := os.ReadFile(filepath.Join(data, fileEndpoints))
	if errors.Is(err, os.ErrNotExist) {
		return e, fmt.Errorf("no server runs on %s (hint: start it with: switchlog serve --data %s)", data, data)
	}
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(b, &e); err != nil {
		return e, fmt.Errorf("%s: %w", fileEndpoints, err)
	}
	return e, nil
}

// do sends a request and returns the answer's body, which the caller closes.
// An answer that is no success becomes an error with the server's sentence.
func (c *client) do(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the server does not answer: %w (hint: is it running? switchlog serve)", err)
	}
	if res.StatusCode/100 == 2 {
		return res.Body, nil
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	err = errors.Join(err, res.Body.Close())
	var fault struct {
		Error   string `json:"error"`
		Details []struct {
			Path    []string `json:"path"`
			Message string   `json:"message"`
		} `json:"details"`
		InvalidEvents []string `json:"invalidEvents"`
	}
	if json.Unmarshal(b, &fault) == nil && fault.Error != "" {
		says := fault.Error
		for _, d := range fault.Details {
			says += "; " + strings.Join(append(d.Path, d.Message), ": ")
		}
		for _, e := range fault.InvalidEvents {
			says += "; there is no " + strconv.Quote(e)
		}
		return nil, errors.New(says)
	}
	return nil, errors.Join(fmt.Errorf("the server answers %s", res.Status), err)
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
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
