package projections

import (
	"context"
	"fmt"
	"testing"
	"time"

	"switchlog/schemas"
)

// BenchmarkFoldEntities folds events of 10 systems with 100 members each, in
// batches of 1,000; the time is that of one event, decoded envelope to row.
func BenchmarkFoldEntities(b *testing.B) {
	for _, c := range []struct {
		name string
		make func(i int, system, member string) (typ string, data string)
	}{
		{"CREATE_MESSAGE", func(i int, system, member string) (string, string) {
			return schemas.PKMessageCreate, fmt.Sprintf(`{"timestamp":"2025-11-28T%02d:%02d:%02dZ","id":"1444000%012d","original":"1443999997000000006","sender":"1150000000000000003","channel":"1150000000000000002","guild":"1150000000000000001",`+
				`"system":{"id":"kfazoe","uuid":"%s","name":"Harbour House","description":"We share one keyboard.","tag":"| HH","pronouns":"they/them","avatar_url":null,"banner":null,"color":"4f8a8b","created":"2021-03-14T09:26:53.589793Z","privacy":{"name_privacy":"public","avatar_privacy":"public","description_privacy":"public","banner_privacy":"public","pronoun_privacy":"public","member_list_privacy":"public","group_list_privacy":"public","front_privacy":"private","front_history_privacy":"private"}},`+
				`"member":{"id":"abvenk","uuid":"%s","name":"Alder","display_name":null,"color":"3a7d44","birthday":"0004-02-29","pronouns":"he/him","avatar_url":"https://cdn.example.org/avatars/example.webp","webhook_avatar_url":null,"banner":null,"description":null,"created":"2021-03-15T18:00:01.25Z","keep_proxy":false,"tts":false,"autoproxy_enabled":true,"message_count":%d,"last_message_timestamp":"2025-11-28T16:55:12.018204Z","proxy_tags":[{"prefix":"a:","suffix":null}],"privacy":{"visibility":"public","name_privacy":"public","description_privacy":"public","banner_privacy":"public","birthday_privacy":"public","pronoun_privacy":"public","avatar_privacy":"public","metadata_privacy":"public","proxy_privacy":"public"}}}`,
				i/3600%24, i/60%60, i%60, i, system, member, i)
		}},
		{"UPDATE_MEMBER", func(i int, _, _ string) (string, string) {
			return schemas.PKMemberUpdate, fmt.Sprintf(`{"display_name":"Alder %d"}`, i)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			db := openTest(b, All)
			const size = 1000
			seq := 0
			batch := func() []schemas.Recorded {
				events := make([]schemas.Recorded, size)
				for i := range events {
					seq++
					system := fmt.Sprintf("7f3c1a52-0d4e-4c1b-9a6e-%012d", seq%10)
					member := fmt.Sprintf("0b6c2a9e-55d1-4b0c-8f3a-%012d", seq%1000)
					typ, data := c.make(seq, system, member)
					events[i] = schemas.Recorded{Seq: uint64(seq), Event: schemas.Event{
						ID: schemas.NewID(), Source: schemas.PluralKitSystemURL + system, Type: typ, Subject: member,
						Time: time.UnixMicro(int64(seq)), Data: []byte(data), Route: schemas.PluralKitRoute(typ, system),
					}}
				}
				return events
			}
			apply := func(events []schemas.Recorded) {
				if err := db.Apply(context.Background(), "epoch", events); err != nil {
					b.Fatal(err)
				}
			}
			apply(batch()) // every member is known
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += size {
				b.StopTimer()
				events := batch()
				b.StartTimer()
				apply(events)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
