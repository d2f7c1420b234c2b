package deliver

import (
	"fmt"
	"strings"

	"switchlog/schemas"
)

// Limits of a template.
const (
	maxExpandedBytes  = 64 << 10
	templateNamesHint = "(hint: {name} with one of %s; {{ and }} are braces)"
)

// A template is text with {names} of values in it. {{ is a brace, }} too.
// There is nothing else: no condition, no loop, no function.

// checkTemplate reports what is wrong with a template.
func checkTemplate(text string) error {
	if len(text) > schemas.MaxTemplateBytes {
		return fmt.Errorf("is longer than %d bytes", schemas.MaxTemplateBytes)
	}
	return eachPart(text, func(literal, name string) error {
		if name != "" && !isValueName(name) {
			return fmt.Errorf("{%s} is no name "+templateNamesHint, name, valueNames())
		}
		return nil
	})
}

// expand writes a template that was checked. A name without a value is
// nothing. escape, if there is one, makes of each value what may stand in the
// text.
func expand(text string, v *values, escape func(name, value string) string) string {
	var b strings.Builder
	err := eachPart(text, func(literal, name string) error {
		b.WriteString(literal)
		if name != "" {
			value := v.get(name)
			if escape != nil {
				value = escape(name, value)
			}
			b.WriteString(value)
		}
		if b.Len() > maxExpandedBytes {
			return errTooLong
		}
		return nil
	})
	if err != nil && err != errTooLong {
		return text // it was never checked: show it as it is
	}
	return b.String()
}

var errTooLong = fmt.Errorf("too long")

// eachPart calls do for each stretch of text and each name after it.
func eachPart(text string, do func(literal, name string) error) error {
	var literal strings.Builder
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			break
		}
		literal.WriteString(text[:i])
		brace := text[i]
		text = text[i+1:]
		if text != "" && text[0] == brace {
			literal.WriteByte(brace)
			text = text[1:]
			continue
		}
		name, rest, closed := strings.Cut(text, "}")
		if brace == '}' || !closed || name == "" || strings.ContainsAny(name, "{ ") {
			return fmt.Errorf("has a brace that is no placeholder "+templateNamesHint, valueNames())
		}
		if err := do(literal.String(), name); err != nil {
			return err
		}
		literal.Reset()
		text = rest
	}
	literal.WriteString(text)
	return do(literal.String(), "")
}
