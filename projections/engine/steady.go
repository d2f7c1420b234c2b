package engine

import "strings"

// steady puts a plus before each parameter of an SQL text. It changes no
// value, but hides the parameter from the planner, which otherwise may make a
// plan that holds for the value at hand only (it compares the value with
// the conditions of partial indexes) and then prepare the statement anew
// whenever another value is bound. That took 20 times as long as the query
// itself. SQLite has a switch for it, SQLITE_DBCONFIG_ENABLE_QPSG, which the
// driver does not reach.
func steady(query string) string {
	var b strings.Builder
	var quote byte // the quotation or comment we are in ends with it; 0: none
	for i := range len(query) {
		c := query[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == '-' && strings.HasPrefix(query[i:], "--"):
			quote = '\n'
		case c == '?', c == ':' && i+1 < len(query) && isNameByte(query[i+1]):
			b.WriteByte('+')
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isNameByte(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
