//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"switchlog/schemas"
)

// mostMemory is what a server may take at most, whatever is taken in.
const mostMemory = 400e6

// measureMemory is the other half of N7: what a server takes while proxied
// messages of 1.5 KB come in without a pause.
func measureMemory(ctx context.Context, b *bench) (err error) {
	events := 200_000
	if b.quick {
		events = 50_000
	}
	file := filepath.Join(b.dir, "messages.ndjson")
	size, err := writeMessages(file, events)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(file)) }()
	n, err := b.startNode(filepath.Join(b.dir, "messages"))
	if err != nil {
		return err
	}
	began := time.Now()
	_, err = n.cli("", "import", file)
	took := time.Since(began)
	if err = errors.Join(err, n.settled(ctx, 15*time.Minute)); err != nil {
		return errors.Join(err, n.stop())
	}
	_, peak := rss(n.process)
	b.table.number("N7", fmt.Sprintf("most memory, importing %d messages of %d bytes", events, size), "≤ 400 MB", mb(peak)+" MB", peak <= mostMemory)
	b.table.table("Memory while much comes in (N7)", "`switchlog import` of proxied messages with system and member, as PluralKit sends them.",
		[]string{"messages", "bytes each", "messages/s", "peak MB"}, [][]string{{fmt.Sprint(events), fmt.Sprint(size), fmt.Sprintf("%.0f", float64(events)/took.Seconds()), mb(peak)}})
	return errors.Join(n.stop(), os.RemoveAll(n.dir))
}

// writeMessages writes proxied messages of 50 systems as a file for import, and
// gives the bytes of one.
func writeMessages(path string, events int) (size int, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	defer func() { err = errors.Join(err, w.Flush(), f.Close()) }()
	text := strings.Repeat("Somebody wrote a few words here. ", 4)
	for i := range events {
		t, at := tenant(i%50), epoch.Add(time.Duration(i)*37*time.Millisecond)
		id := fmt.Sprint(1444000000000000000 + i)
		data := fmt.Sprintf(`{"timestamp":%[1]q,"id":%[2]q,"original":"%[3]d","sender":"1150000000000000003","channel":"1150000000000000002","guild":"1150000000000000001",`+
			`"system":{"id":"kfazoe","uuid":%[4]q,"name":"Harbour House","description":%[5]q,"tag":"| HH","pronouns":"they/them","avatar_url":"https://cdn.example.org/harbour.png","color":"aabbcc",`+
			`"privacy":{"description_privacy":"private","pronoun_privacy":"private","member_list_privacy":"private","group_list_privacy":"private","front_privacy":"private","front_history_privacy":"private"}},`+
			`"member":{"id":"abvenk","uuid":"00000000-0000-4000-a%03[6]x-%012[7]x","name":"Alder","display_name":"Alder of the Harbour","description":%[5]q,"pronouns":"she/her","color":"00ff00",`+
			`"avatar_url":"https://cdn.example.org/alder.png","created":"2020-01-01T00:00:00.000000Z","keep_proxy":false,"message_count":%[8]d,"proxy_tags":[{"prefix":"A:","suffix":null}],`+
			`"privacy":{"visibility":"public","name_privacy":"public","description_privacy":"public","birthday_privacy":"public","pronoun_privacy":"public","avatar_privacy":"public","metadata_privacy":"public"}}}`,
			at.Format(time.RFC3339Nano), id, 1443000000000000000+i, t, text, i%12, i%50, i/600)
		e := schemas.Event{
			ID: "create_message." + id, Source: schemas.PluralKitSystemURL + t, Type: schemas.PKMessageCreate, Subject: id, Time: at, DataSchema: schemas.SchemaID(schemas.PKMessageCreate),
			Origin: schemas.OriginWebhook, Data: []byte(data), Route: schemas.PluralKitRoute(schemas.PKMessageCreate, t),
		}
		line, err := e.MarshalJSON()
		if err != nil {
			return 0, err
		}
		size = len(line)
		if _, err := w.Write(append(line, '\n')); err != nil {
			return 0, err
		}
	}
	return size, nil
}
