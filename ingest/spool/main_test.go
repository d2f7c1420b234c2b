package spool

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"switchlog/schemas"
)

// childEnv names the spool that this binary, run again as a child, is to
// append to until it is killed.
const childEnv = "SPOOL_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		appendUntilKilled(path)
	}
	goleak.VerifyTestMain(m)
}

// appendUntilKilled has some callers append numbered events, and prints the ID
// of each when it was answered.
func appendUntilKilled(path string) {
	s, err := Open(Config{Path: path})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	go s.Run(context.Background()) //nolint:errcheck // the process is killed
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for n := 0; ; n++ {
				e := event(fmt.Sprintf("%d-%d-%d", os.Getpid(), caller, n))
				if _, err := s.Append(context.Background(), e); err != nil {
					fmt.Println("error:", err)
					os.Exit(1)
				}
				fmt.Println(e.ID) // one write: a line is printed whole or not at all
			}
		})
	}
	callers.Wait()
}

// event is one that could have come in, with this ID.
func event(id string) schemas.Event {
	return schemas.Event{
		ID: id, Source: schemas.PluralKitSystemURL + "u1", Type: schemas.PKSwitchCreate,
		Data:  []byte(`{"id":` + strconv.Quote(id) + `}`),
		Route: schemas.PluralKitRoute(schemas.PKSwitchCreate, "u1"),
	}
}
