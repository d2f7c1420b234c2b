// Command bare is the floor: an HTTP server that reads a body, throws it away
// and answers 200.
package main

import (
	"flag"
	"io"
	"net/http"
	"os"
)

func main() {
	listen := flag.String("listen", "", "host:port")
	flag.Parse()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /in/pluralkit", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"live"}`) // a client that hung up does not want it
	})
	server := &http.Server{Addr: *listen, Handler: mux}
	if err := server.ListenAndServe(); err != nil {
		println(err.Error())
		os.Exit(1)
	}
}
