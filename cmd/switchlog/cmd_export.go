package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/export"
	"switchlog/cmd/switchlog/terminal"
	"switchlog/projections/query"
	"switchlog/schemas"
)

// The forms of a file besides JSON and CSV.
const (
	formatICS       = "ics"
	formatPluralKit = schemas.PluralKit
)

// exportFormats are the forms of a file.
var exportFormats = []string{formatJSON, formatCSV, formatICS, formatPluralKit}

// exportPage is how many switches are asked for at once; at most 1,000 are
// answered.
const exportPage = 500

// written is what an export wrote.
type written struct {
	Source   string `json:"source"`
	Tenant   string `json:"tenant"`
	Format   string `json:"format"`
	File     string `json:"file"` // - is standard output
	Bytes    int    `json:"bytes"`
	Members  int    `json:"members"`
	Groups   int    `json:"groups"`
	Switches int    `json:"switches"`
}

func newExport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export [FILE]",
		Short: "A system's data in a file, to take along",
		Long: "Write a system's data into a file, to take along; without FILE, or with -, to standard output. With a reader's\n" +
			"token (--admin-token-file) it is what that reader may see.\n\n" +
			"json: all that is known of the system, its settings, members, groups and switches.\n\n" +
			"csv: who fronted from when to when, a row for each member and run through consecutive switches. A name that a\n" +
			"spreadsheet would take for a formula gets an apostrophe before it.\n\n" +
			"ics: the same as a calendar.\n\n" +
			"pluralkit: the file that pk;import takes.",
		Example: "  switchlog export system.json\n" +
			"  switchlog export --format pluralkit system.json\n" +
			"  switchlog export --format csv > fronts.csv",
	}
	tenant := cmd.Flags().String("tenant", "", "whose data, by the system's uuid or short id; it may be left out while there is only one")
	source := cmd.Flags().String("source", schemas.PluralKit, "kind of the source")
	format := cmd.Flags().String("format", formatJSON, "form of the file: "+strings.Join(exportFormats, ", "))
	force := cmd.Flags().Bool("force", false, "write over a FILE there is")
	cmd.Flags().Bool("json", false, "say as JSON what was written; on standard error, if the data go to standard output")
	// It fails only for a flag there is not.
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(exportFormats, cobra.ShellCompDirectiveNoFileComp))
	tokenFlag(cmd)
	return withFormat(cmd, func(*cobra.Command) (string, error) { return *format, nil }, func(ctx context.Context, c *call) error {
		w := written{Source: *source, Tenant: *tenant, Format: *format, File: "-"}
		if len(c.args) > 0 {
			w.File = c.args[0]
		}
		switch {
		case !slices.Contains(exportFormats, w.Format):
			return fmt.Errorf("%w: --format %q is none of %s", errUsage, w.Format, strings.Join(exportFormats, ", "))
		case w.Source != schemas.PluralKit:
			return fmt.Errorf("%w: --source %q: only %s has data that can be exported", errUsage, w.Source, schemas.PluralKit)
		}
		return c.export(ctx, w, *force)
	})
}

// export asks for the data, makes the file and says what is in it.
func (c *call) export(ctx context.Context, w written, force bool) error {
	if w.File != "-" && !force {
		if err := notThere(w.File); err != nil {
			return err
		}
	}
	var err error
	if w.Tenant, err = c.exportTenant(ctx, w.Source, w.Tenant); err != nil {
		return err
	}
	answers, err := c.exportAnswers(ctx, w.Source, w.Tenant)
	if err != nil {
		return err
	}
	body, err := exportFile(answers, w.Format)
	if err != nil {
		return err
	}
	w.Bytes, w.Members, w.Groups, w.Switches = len(body), len(answers.Members), len(answers.Groups), len(answers.Switches)
	said := c.errOut
	if w.File == "-" {
		err = c.writeExport(w.Format, body)
	} else {
		said = c.out
		err = writeFile(w.File, body)
	}
	if err != nil {
		return err
	}
	if w.Format == formatPluralKit && w.Switches > export.MaxPluralKitSwitches {
		c.note("PluralKit takes at most %d switches from a file (hint: remove the oldest ones from its end before pk;import)", export.MaxPluralKitSwitches)
	}
	if asJSON, _ := c.cmd.Flags().GetBool("json"); asJSON {
		return printJSON(said, w)
	}
	if answers.Empty() {
		c.note("there is nothing to export of %s yet (hint: switchlog status)", terminal.Plain(w.Tenant))
		return nil
	}
	to := "to " + terminal.Plain(w.File)
	if w.File == "-" {
		to = "to standard output"
	}
	c.note("written %s: %d %s, %d %s, %d %s of %s", to, w.Members, counted(w.Members, "member", "members"),
		w.Groups, counted(w.Groups, "group", "groups"), w.Switches, counted(w.Switches, "switch", "switches"), terminal.Plain(w.Tenant))
	return nil
}

// notThere refuses a file there is.
func notThere(name string) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder (hint: name a file in it)", terminal.Plain(name))
	}
	return fmt.Errorf("%s is there already (hint: another name, or --force to write over it)", terminal.Plain(name))
}

// exportFile makes the bytes of a file.
func exportFile(a export.Answers, format string) ([]byte, error) {
	switch format {
	case formatCSV:
		return export.CSV(a)
	case formatICS:
		return export.ICS(a, time.Now())
	case formatPluralKit:
		return export.PluralKit(a)
	}
	return export.JSON(a)
}

// writeExport writes to standard output. A terminal gets no character that it
// would obey.
func (c *call) writeExport(format string, body []byte) error {
	w := c.out
	_, screen := terminal.File(w)
	switch {
	case screen && (format == formatCSV || format == formatICS):
		body = []byte(terminal.PlainLines(strings.ReplaceAll(string(body), "\r\n", "\n")))
	case screen:
		w = terminal.PlainJSON(w)
	}
	_, err := w.Write(body)
	return err
}

// exportTenant finds whose data is meant, among those that the token may see.
func (c *call) exportTenant(ctx context.Context, source, said string) (string, error) {
	var names []string
	for after := ""; ; {
		var page []query.Tenant
		if err := c.call(ctx, "GET", query.Root+source+"?"+url.Values{"after": {after}}.Encode(), nil, &page); err != nil {
			return "", err
		}
		if len(page) == 0 {
			break
		}
		for _, t := range page {
			if said != "" && said == t.ID {
				said = t.Tenant
			}
			names = append(names, t.Tenant)
		}
		after = names[len(names)-1]
	}
	switch {
	case said != "" && !slices.Contains(names, said):
		return "", fmt.Errorf("there is no tenant %q of %s (hint: switchlog source list)", terminal.Plain(said), source)
	case said != "":
		return said, nil
	case len(names) == 0:
		return "", errors.New("there is nothing to export: no system is known yet (hint: switchlog source add pluralkit --help)")
	case len(names) > 1:
		return "", fmt.Errorf("%w: there are %d systems (hint: --tenant UUID; switchlog source list tells which)", errUsage, len(names))
	}
	return names[0], nil
}

// exportAnswers asks the read API for all there is of a tenant.
func (c *call) exportAnswers(ctx context.Context, source, tenant string) (export.Answers, error) {
	a := export.Answers{Source: source, Tenant: tenant, Members: []json.RawMessage{}, Groups: []json.RawMessage{}, Switches: []export.Switch{}}
	path := query.Root + source + "/" + url.PathEscape(tenant) + "/"
	ask := func(what string, out any) error {
		err := c.call(ctx, "GET", path+what, nil, out)
		var none notFoundError
		if errors.As(err, &none) {
			return nil // nothing is known, or it is not for this reader
		}
		return err
	}
	if err := ask("system", &a.System); err != nil {
		return a, err
	}
	if err := ask("settings", &a.Settings); err != nil {
		return a, err
	}
	if err := ask("members", &a.Members); err != nil {
		return a, err
	}
	if err := ask("groups", &a.Groups); err != nil {
		return a, err
	}
	params := url.Values{"limit": {strconv.Itoa(exportPage)}}
	for {
		var page []export.Switch
		if err := ask("switches?"+params.Encode(), &page); err != nil {
			return a, err
		}
		before, err := a.AddPage(page, exportPage)
		if err != nil || before == "" {
			return a, err
		}
		params.Set("before", before)
	}
}
