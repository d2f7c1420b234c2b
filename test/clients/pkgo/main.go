// Command pkgo asks a server that speaks PluralKit's API everything that the
// library of that name can ask, and prints each answer as a line of JSON. Two
// servers that answer alike make it print the same. It is a module of its own:
// what the library needs is no part of switchlog.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/starshine-sys/pkgo/v2"
	"golang.org/x/time/rate"
)

// A job is one reader and what to ask for; several come in a list on standard
// input.
type job struct {
	Base, Token string
	Systems     []string // refs of any kind; of what follows too
	Members     []string
	Groups      []string
	Switches    []string // uuids
	Guilds      []string
	Messages    []string
	Before      []time.Time
}

// A line is one answer. Error is the library's own, with its class.
type line struct {
	Job    int    `json:"job"`
	Call   string `json:"call"`
	Args   string `json:"args"`
	Answer any    `json:"answer"`
	Error  any    `json:"error,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pkgo:", err)
		os.Exit(1)
	}
}

func run() error {
	if err := complete(); err != nil {
		return err
	}
	var jobs []job
	if err := json.NewDecoder(os.Stdin).Decode(&jobs); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	for i, j := range jobs {
		s := pkgo.NewWithLimiter(j.Token, rate.NewLimiter(rate.Inf, 1))
		s.BaseURL = j.Base + "/v2"
		for name, read := range reads {
			for _, a := range read(s, j) {
				v, err := a.ask()
				l := line{Job: i, Call: name, Args: a.args, Answer: v, Error: class(err)}
				if err := out.Encode(l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// writes are how the names of calls begin that change something.
var writes = []string{"Create", "Edit", "Delete", "Add", "Remove", "Overwrite", "Register", "Update", "Request"}

// complete checks that reads has every call that reads.
func complete() error {
	session := reflect.TypeFor[*pkgo.Session]()
next:
	for i := range session.NumMethod() {
		name := session.Method(i).Name
		for _, prefix := range writes {
			if strings.HasPrefix(name, prefix) {
				continue next
			}
		}
		if reads[name] == nil {
			return fmt.Errorf("the library has a call %s (hint: add it to reads)", name)
		}
	}
	return nil
}

// class is what a program can tell errors apart by.
func class(err error) any {
	var refused *pkgo.PKAPIError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return map[string]any{"status": refused.StatusCode, "code": refused.Code, "message": refused.Message}
	}
	return fmt.Sprintf("%T: %v", err, err)
}

// A question is one call with its arguments.
type question struct {
	args string
	ask  func() (any, error)
}

// each makes a question of every value.
func each[T any](values []T, ask func(T) (any, error)) (list []question) {
	for _, v := range values {
		list = append(list, question{fmt.Sprint(v), func() (any, error) { return ask(v) }})
	}
	return list
}

// pairs makes one of every pair.
func pairs[A, B any](as []A, bs []B, ask func(A, B) (any, error)) (list []question) {
	for _, a := range as {
		for _, b := range bs {
			list = append(list, question{fmt.Sprint(a, " ", b), func() (any, error) { return ask(a, b) }})
		}
	}
	return list
}

func uuids(refs []string) (list []uuid.UUID) {
	for _, ref := range refs {
		if id, err := uuid.Parse(ref); err == nil {
			list = append(list, id)
		}
	}
	return list
}

func flakes(refs []string) (list []pkgo.Snowflake) {
	for _, ref := range refs {
		if id, err := strconv.ParseUint(ref, 10, 64); err == nil {
			list = append(list, pkgo.Snowflake(id))
		}
	}
	return list
}

func switchesBefore(s *pkgo.Session, j job, limit uint64) []question {
	list := pairs(j.Systems, j.Before, func(ref string, at time.Time) (any, error) { return s.SwitchesBefore(ref, at, limit) })
	for i := range list {
		list[i].args += fmt.Sprint(" ", limit)
	}
	return list
}

// reads has all calls that read, and the questions each is made with.
var reads = map[string]func(*pkgo.Session, job) []question{
	"Me": func(s *pkgo.Session, _ job) []question {
		return []question{{"", func() (any, error) { return s.Me() }}}
	},
	"System": func(s *pkgo.Session, j job) []question {
		return each(j.Systems, func(ref string) (any, error) { return s.System(ref) })
	},
	"SystemByUUID": func(s *pkgo.Session, j job) []question {
		return each(uuids(j.Systems), func(id uuid.UUID) (any, error) { return s.SystemByUUID(id) })
	},
	"Account": func(s *pkgo.Session, j job) []question {
		return each(flakes(j.Systems), func(id pkgo.Snowflake) (any, error) { return s.Account(id) })
	},
	"SystemSettings": func(s *pkgo.Session, _ job) []question {
		return []question{{"", func() (any, error) { return s.SystemSettings() }}}
	},
	"Members": func(s *pkgo.Session, j job) []question {
		return each(j.Systems, func(ref string) (any, error) { return s.Members(ref) })
	},
	"Member": func(s *pkgo.Session, j job) []question {
		return each(j.Members, func(ref string) (any, error) { return s.Member(ref) })
	},
	"MemberByUUID": func(s *pkgo.Session, j job) []question {
		return each(uuids(j.Members), func(id uuid.UUID) (any, error) { return s.MemberByUUID(id) })
	},
	"MemberGroups": func(s *pkgo.Session, j job) []question {
		return each(j.Members, func(ref string) (any, error) { return s.MemberGroups(ref) })
	},
	"MemberGuild": func(s *pkgo.Session, j job) []question {
		return pairs(j.Members, flakes(j.Guilds), func(ref string, id pkgo.Snowflake) (any, error) { return s.MemberGuild(ref, id) })
	},
	"Groups": func(s *pkgo.Session, j job) []question {
		return each(j.Systems, func(ref string) (any, error) { return s.Groups(ref) })
	},
	"GroupsWithMembers": func(s *pkgo.Session, j job) []question {
		return each(j.Systems, func(ref string) (any, error) { return s.GroupsWithMembers(ref) })
	},
	"Group": func(s *pkgo.Session, j job) []question {
		return each(j.Groups, func(ref string) (any, error) { return s.Group(ref) })
	},
	"GroupByUUID": func(s *pkgo.Session, j job) []question {
		return each(uuids(j.Groups), func(id uuid.UUID) (any, error) { return s.GroupByUUID(id) })
	},
	"GroupMembers": func(s *pkgo.Session, j job) []question {
		return each(j.Groups, func(ref string) (any, error) { return s.GroupMembers(ref) })
	},
	"Fronters": func(s *pkgo.Session, j job) []question {
		return each(j.Systems, func(ref string) (any, error) { return s.Fronters(ref) })
	},
	"Switches": func(s *pkgo.Session, j job) []question {
		return each(j.Systems, func(ref string) (any, error) { return s.Switches(ref) })
	},
	"SwitchesBefore": func(s *pkgo.Session, j job) []question {
		return append(switchesBefore(s, j, 3), switchesBefore(s, j, 0)...) // 0: all of them, page by page
	},
	"Switch": func(s *pkgo.Session, j job) []question {
		return pairs(j.Systems, uuids(j.Switches), func(ref string, id uuid.UUID) (any, error) { return s.Switch(ref, id) })
	},
	"SystemGuild": func(s *pkgo.Session, j job) []question {
		return each(flakes(j.Guilds), func(id pkgo.Snowflake) (any, error) { return s.SystemGuild(id) })
	},
	"GuildAutoproxy": func(s *pkgo.Session, j job) []question {
		return each(flakes(j.Guilds), func(id pkgo.Snowflake) (any, error) { return s.GuildAutoproxy(id) })
	},
	"Message": func(s *pkgo.Session, j job) []question {
		return each(flakes(j.Messages), func(id pkgo.Snowflake) (any, error) { return s.Message(id) })
	},
}
