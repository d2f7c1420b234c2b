package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/ingest"
	"switchlog/ingest/pluralkit"
)

// importAnswer is what became of a file: of its events, or of what pk;export
// wrote.
type importAnswer struct {
	ingest.Imported

	Export *exportAnswer `json:"export,omitempty"` // then the rest says nothing
}

func newImport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take events from a file into the log",
		Long: "Take into the log what a file tells; - is standard input. Running it twice changes nothing.\n\n" +
			"Events, one a line (NDJSON), as replay writes them: one that the log already has is not stored again.\n\n" +
			"Or the file that PluralKit sends after pk;export: members, groups and switches from before switchlog\n" +
			"was there. It counts as of the newest moment it speaks of, so what happened later is not undone.\n" +
			"The file has no uuids of switches: until PluralKit tells them, others stand in.",
	}
	tenant := cmd.Flags().String("tenant", "", "of a pk;export file: the system's uuid, if the file does not tell or no source here is of it")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		a, err := c.importFile(ctx, c.args[0], *tenant)
		if err != nil {
			return err
		}
		if a.Export != nil {
			return c.answer(a.Export, func() error { return a.Export.print(c.out, c.errOut) })
		}
		err = c.answer(a, func() error { return a.print(c) })
		if err == nil && a.Refused > 0 {
			return errReported
		}
		return err
	})
}

// importFile sends a file to the server, which takes it in; - is standard input.
func (c *call) importFile(ctx context.Context, name, tenant string) (a importAnswer, err error) {
	in := c.cmd.InOrStdin()
	if name != "-" {
		f, err := openImport(name)
		if err != nil {
			return a, err
		}
		defer f.Close()
		in = &barReader{f: f, w: c.errOut}
	}
	body, err := c.do(ctx, "POST", "/api/admin/import?"+url.Values{"tenant": {tenant}}.Encode(), in)
	if err != nil {
		return a, err
	}
	defer body.Close()
	return a, decode(body, &a)
}

// openImport opens a file, unless the server would refuse it for its size: in
// the middle of sending it, its answer could be lost.
func openImport(name string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if err := fitsImport(f); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return f, nil
}

func fitsImport(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() <= maxExportBytes {
		return err
	}
	kind, _, err := pluralkit.OpenFile(io.NewSectionReader(f, 0, info.Size()))
	if err != nil {
		return err // the server would refuse it
	}
	if kind == pluralkit.ExportFile {
		return fmt.Errorf("the file has more than %d MiB (hint: is it one that pk;export made?)", maxExportBytes>>20)
	}
	return nil
}

// barReader shows on a terminal how much of the file has been sent.
type barReader struct {
	f    *os.File
	w    io.Writer
	done uint64
}

// Read reads on.
func (b *barReader) Read(p []byte) (int, error) {
	n, err := b.f.Read(p)
	b.done += uint64(n)
	if info, statErr := b.f.Stat(); statErr == nil && info.Mode().IsRegular() {
		shown := progress{Step: "import", Done: b.done, Total: uint64(info.Size())}
		if err != nil {
			shown.Outcome = &outcome{} // the line ends
		}
		showBar(b.w, shown)
	}
	return n, err
}

func (a importAnswer) print(c *call) error {
	if err := c.say("%d events read: %d new, %d already known", a.Read, a.New, a.Known); err != nil {
		return err
	}
	if a.Registry > 0 {
		c.note("%d events are left out that are about the server they come from: its sources, its webhooks and their deliveries. Their secrets are not in the file (hint: switchlog source add, switchlog webhook add)", a.Registry)
	}
	for _, fault := range a.Faults {
		c.note("refused: %s", terminal.Plain(fault))
	}
	if more := a.Refused - len(a.Faults); more > 0 {
		c.note("refused: and %d more", more)
	}
	return nil
}
