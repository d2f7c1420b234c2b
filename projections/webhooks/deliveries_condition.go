package webhooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// Limits of a condition (Law 10). They are counted, not timed: a fold must
// come to the same end on any machine (Law 5).
const (
	maxConditionDepth = 50     // of parentheses and the like
	maxConditionCost  = 10_000 // steps, about: 10 ms or so
)

// A condition is a CEL expression that says of an event whether it is meant.
type condition struct{ program cel.Program }

// CheckCondition reports what is wrong with a condition, in words for the
// person who wrote it; that is schemas.ErrInvalid. An empty one is good.
//
// It is CEL over type, source (the kind: pluralkit), tenant, subject, id,
// time (a timestamp) and data, and must be true or false. Of CEL's library
// time zones by name are left out: what they mean changes.
func CheckCondition(expr string) error {
	_, err := compile(expr)
	return err
}

// compile reads a condition; nil: there is none.
func compile(expr string) (*condition, error) {
	switch {
	case expr == "":
		return nil, nil
	case len(expr) > schemas.MaxConditionBytes:
		return nil, fmt.Errorf("%w: the condition is over %d bytes", schemas.ErrInvalid, schemas.MaxConditionBytes)
	}
	e, err := conditionEnv()
	if err != nil {
		return nil, err
	}
	ast, issues := e.Compile(expr)
	if issues.Err() != nil {
		return nil, fmt.Errorf("%w: the condition: %s", schemas.ErrInvalid, firstIssue(issues))
	}
	if kind := ast.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("%w: the condition is of type %s (hint: it must be true or false)", schemas.ErrInvalid, kind)
	}
	program, err := e.Program(ast, cel.CostLimit(maxConditionCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, fmt.Errorf("%w: the condition: %w", schemas.ErrInvalid, err)
	}
	return &condition{program: program}, nil
}

func firstIssue(issues *cel.Issues) string {
	first := issues.Errors()[0]
	text, _, _ := strings.Cut(first.Message, "\n")
	return fmt.Sprintf("%d:%d: %s", first.Location.Line(), first.Location.Column()+1, engine.Clip(text))
}

// holds reports whether the condition is true. One that cannot be answered,
// because a field is not there or it takes too long, is not.
func (c *condition) holds(vars map[string]any) bool {
	out, _, err := c.program.Eval(vars)
	return err == nil && out == types.True
}

// conditionEnv is what conditions are written in.
var conditionEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewCustomEnv(
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{ExcludeFunctions: withoutZones()})),
		cel.CustomTypeAdapter(adapter{types.DefaultTypeAdapter}),
		cel.ParserExpressionSizeLimit(schemas.MaxConditionBytes),
		cel.ParserRecursionLimit(maxConditionDepth),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(),
			cel.ValidateComprehensionNestingLimit(2)),
		cel.Variable("type", cel.StringType), cel.Variable("source", cel.StringType), cel.Variable("tenant", cel.StringType),
		cel.Variable("subject", cel.StringType), cel.Variable("id", cel.StringType), cel.Variable("time", cel.TimestampType),
		cel.Variable("data", cel.DynType),
	)
})

// withoutZones are the functions that take the name of a time zone. They ask
// the machine's table of zones, and so are not the same everywhere (Law 5).
func withoutZones() []*env.Function {
	without := func(name, overload string) *env.Function {
		return env.NewFunction(name, env.NewMemberOverload(overload, nil, nil, nil))
	}
	return []*env.Function{
		without(overloads.TimeGetFullYear, overloads.TimestampToYearWithTz),
		without(overloads.TimeGetMonth, overloads.TimestampToMonthWithTz),
		without(overloads.TimeGetDayOfYear, overloads.TimestampToDayOfYearWithTz),
		without(overloads.TimeGetDayOfMonth, overloads.TimestampToDayOfMonthZeroBasedWithTz),
		without(overloads.TimeGetDate, overloads.TimestampToDayOfMonthOneBasedWithTz),
		without(overloads.TimeGetDayOfWeek, overloads.TimestampToDayOfWeekWithTz),
		without(overloads.TimeGetHours, overloads.TimestampToHoursWithTz),
		without(overloads.TimeGetMinutes, overloads.TimestampToMinutesWithTz),
		without(overloads.TimeGetSeconds, overloads.TimestampToSecondsWithTz),
		without(overloads.TimeGetMilliseconds, overloads.TimestampToMillisecondsWithTz),
	}
}

// adapter shows objects to CEL so that their members come in the order of
// their names: in Go's own order a condition could be true today and false
// tomorrow (Law 5).
type adapter struct{ types.Adapter }

func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case map[string]any:
		return orderedObject{types.NewStringInterfaceMap(a, v), v}
	case []any:
		return types.NewDynamicList(a, v)
	}
	return a.Adapter.NativeToValue(value)
}

type orderedObject struct {
	traits.Mapper
	members map[string]any
}

// Iterator goes through the names of the members.
func (o orderedObject) Iterator() traits.Iterator {
	names := slices.Sorted(maps.Keys(o.members))
	return types.NewStringList(types.DefaultTypeAdapter, names).Iterator()
}

// unmarshalNumbers reads JSON and keeps numbers as they are written.
func unmarshalNumbers(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

// plainNumbers makes whole numbers int64 and others float64, all through v.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String() // beyond any number there is
		}
		return f
	case map[string]any:
		for name, member := range v {
			v[name] = plainNumbers(member)
		}
	case []any:
		for i, member := range v {
			v[i] = plainNumbers(member)
		}
	}
	return v
}
