// Command watermill takes PluralKit's webhooks with Watermill and stores them
// in JetStream: a 200 says that the log has the event, a wrong token is 401.
package main

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"

	"github.com/ThreeDotsLabs/watermill"
	wmhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	wmnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/go-chi/chi"
)

func main() {
	listen := flag.String("listen", "", "host:port")
	url := flag.String("nats", "", "nats://user:password@host:port")
	subject := flag.String("subject", "", "where events go")
	flag.Parse()
	if err := run(*listen, *url, *subject, os.Getenv("BENCH_TOKEN")); err != nil {
		println(err.Error())
		os.Exit(1)
	}
}

func run(listen, url, subject, token string) error {
	log := watermill.NopLogger{}
	out, err := wmnats.NewPublisher(wmnats.PublisherConfig{
		URL: url, Marshaler: &wmnats.NATSMarshaler{},
		JetStream: wmnats.JetStreamConfig{TrackMsgId: true},
	}, log)
	if err != nil {
		return err
	}
	routes := chi.NewRouter()
	routes.Use(verified(token))
	in, err := wmhttp.NewSubscriber(listen, wmhttp.SubscriberConfig{Router: routes, UnmarshalMessageFunc: event}, log)
	if err != nil {
		return err
	}
	router, err := message.NewRouter(message.RouterConfig{}, log)
	if err != nil {
		return err
	}
	router.AddHandler("in", "/in/pluralkit", in, subject, out,
		func(m *message.Message) ([]*message.Message, error) { return message.Messages{m.Copy()}, nil })
	go func() {
		<-router.Running()
		if err := in.StartHTTPServer(); err != nil {
			println(err.Error())
			os.Exit(1)
		}
	}()
	return router.Run(context.Background())
}

// verified lets a body through that holds the token, and takes that out.
func verified(token string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			var members map[string]json.RawMessage
			var shown string
			if err != nil || json.Unmarshal(body, &members) != nil ||
				json.Unmarshal(members["signing_token"], &shown) != nil ||
				subtle.ConstantTimeCompare([]byte(shown), []byte(token)) != 1 {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			delete(members, "signing_token")
			if body, err = json.Marshal(members); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})
	}
}

// event is a message with PluralKit's id.
func event(_ string, r *http.Request) (*message.Message, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	var in struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	return message.NewMessage(in.ID, body), nil
}
