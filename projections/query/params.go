package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// waitFor is a parameter that every query has besides its own; projections.AsOf is the other.
const waitFor = "wait_for"

// question is a query with everything it is asked with.
type question struct {
	source  string
	query   engine.Query
	params  map[string]string // tenant included
	waitFor uint64            // 0: do not wait
	public  bool              // as others than the owner may see it
}

// ask makes a question of what was given: by hand, or in the path (bound).
// The tenant is never among what is given: it comes from where the request
// went, which is what was authorized (P7).
func ask(source, tenant string, q engine.Query, given, bound map[string]string) (question, error) {
	out := question{source: source, query: q, params: map[string]string{"tenant": tenant}}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := given[name]
		if name == waitFor {
			seq, err := parseSeq(value)
			if err != nil {
				return question{}, fmt.Errorf("parameter %s: %w", waitFor, err)
			}
			out.waitFor = seq
			continue
		}
		if name == engine.AsOf {
			out.params[name] = value
			continue
		}
		_, inPath := bound[name]
		if inPath || !slices.ContainsFunc(q.Params, func(p engine.Param) bool { return p.Name == name }) {
			return question{}, fmt.Errorf("%w: unknown parameter %q", schemas.ErrInvalid, clip(name))
		}
		out.params[name] = value
	}
	maps.Copy(out.params, bound)
	for _, name := range pathParams(q.Path) {
		if out.params[name] == "" {
			return question{}, fmt.Errorf("%w: parameter %s is missing", schemas.ErrInvalid, name)
		}
	}
	return out, nil
}

// pathParams names the parameters in a query's path.
func pathParams(path string) []string {
	var names []string
	for segment := range strings.SplitSeq(path, "/") {
		if name, ok := paramSegment(segment); ok {
			names = append(names, name)
		}
	}
	return names
}

// paramSegment gives the name in a segment like {ref}.
func paramSegment(segment string) (string, bool) {
	name, opens := strings.CutPrefix(segment, "{")
	name, closes := strings.CutSuffix(name, "}")
	return name, opens && closes
}

func parseSeq(text string) (uint64, error) {
	seq, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%w: want a sequence number", schemas.ErrInvalid)
	}
	return seq, nil
}

// urlParams reads a query string; a parameter given twice is refused.
func urlParams(rawQuery string) (map[string]string, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: the query string is malformed", schemas.ErrInvalid)
	}
	params := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(values[name]) > 1 {
			return nil, fmt.Errorf("%w: parameter %q is given twice", schemas.ErrInvalid, clip(name))
		}
		params[name] = values[name][0]
	}
	return params, nil
}

// jsonParams reads parameters from a JSON object whose values are text,
// numbers, true or false; null is as if it were not there, and so is an empty
// body.
func jsonParams(body []byte) (map[string]string, error) {
	var given map[string]any
	if err := decodeObject(body, &given); err != nil {
		return nil, err
	}
	params := make(map[string]string, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch v := given[name].(type) {
		case nil:
		case string:
			params[name] = v
		case json.Number:
			params[name] = v.String()
		case bool:
			params[name] = strconv.FormatBool(v)
		default:
			return nil, fmt.Errorf("%w: parameter %q: want text, a number, true or false", schemas.ErrInvalid, clip(name))
		}
	}
	return params, nil
}

// maxRequestBytes is far more than any request over NATS needs.
const maxRequestBytes = 64 << 10

// decodeObject reads a JSON object into v; members that v has not are
// refused. An empty body is an empty object.
func decodeObject(body []byte, v any) error {
	if len(body) > maxRequestBytes {
		return fmt.Errorf("%w: the request has over %d bytes", schemas.ErrInvalid, maxRequestBytes)
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	if body[0] != '{' {
		return fmt.Errorf("%w: the request must be a JSON object", schemas.ErrInvalid)
	}
	if err := dec.Decode(v); err != nil {
		if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
			return fmt.Errorf("%w: unknown member %s", schemas.ErrInvalid, clip(name))
		}
		return fmt.Errorf("%w: the request must be a JSON object, as the documentation has it", schemas.ErrInvalid)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("%w: something follows the JSON object", schemas.ErrInvalid)
	}
	return nil
}

// clip cuts what a stranger sent to a length fit for an error.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
