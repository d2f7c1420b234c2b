package terminal

import (
	"encoding/csv"
	"fmt"
	"io"
	"strings"
)

// Table is rows for people. Cells may hold what others wrote.
type Table struct {
	head []string
	rows [][]string
}

// NewTable makes a table with these names of columns.
func NewTable(head ...string) *Table {
	t := &Table{head: make([]string, len(head))}
	for i, name := range head {
		t.head[i] = Plain(name)
	}
	return t
}

// Add adds a row, with a cell for each column.
func (t *Table) Add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = Plain(fmt.Sprint(c))
	}
	t.rows = append(t.rows, row)
}

const (
	columnGap = 2
	minColumn = 8 // a column that is cut keeps as many cells
)

// Print writes the table fitted to w's terminal. Columns that are too wide are
// cut, the widest first. Where even that does not fit, each row is written as
// lines of name and value. Anything but a terminal gets all text.
func (t *Table) Print(w io.Writer) error { return t.printFitted(w, Width(w)) }

func (t *Table) printFitted(w io.Writer, screen int) error {
	widths := t.widths()
	if screen > 0 && !shrink(widths, screen) {
		return t.printRecords(w, screen)
	}
	var out strings.Builder
	for _, row := range append([][]string{t.head}, t.rows...) {
		line := ""
		for i, text := range row {
			if screen > 0 {
				text = Cut(text, widths[i])
			}
			line += text + strings.Repeat(" ", widths[i]-Cells(text)+columnGap)
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// widths are those of the widest cells.
func (t *Table) widths() []int {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, text := range row {
			widths[i] = max(widths[i], Cells(text))
		}
	}
	return widths
}

// shrink takes from the widest columns until all fit, and reports whether they
// do.
func shrink(widths []int, screen int) bool {
	total := columnGap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > screen; total-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= minColumn {
			return false
		}
		widths[widest]--
	}
	return true
}

// printRecords writes a line for each cell, the name of its column before it.
func (t *Table) printRecords(w io.Writer, screen int) error {
	name := 0
	for _, h := range t.head {
		name = max(name, min(Cells(h), screen/3))
	}
	var out strings.Builder
	for n, row := range t.rows {
		if n > 0 {
			out.WriteString("\n")
		}
		for i, text := range row {
			head := Cut(t.head[i], name)
			fmt.Fprintf(&out, "%s%s  %s\n", head, strings.Repeat(" ", name-Cells(head)), Cut(text, screen-name-2))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// CSV writes the table as RFC 4180 has it, all text whole.
func (t *Table) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.WriteAll(append([][]string{t.head}, t.rows...)); err != nil {
		return err
	}
	c.Flush()
	return c.Error()
}
