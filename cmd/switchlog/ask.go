package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"switchlog/cmd/switchlog/terminal"
)

// maxSecretBytes is far above any secret there is.
const maxSecretBytes = 8 << 10

// readSecret reads a secret from a file; - is standard input. Where that is a
// terminal, a person is asked for what, and what is typed is not shown.
func readSecret(cmd *cobra.Command, what, file string) (string, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		return secretFrom(f, file)
	}
	if _, ok := terminal.File(cmd.InOrStdin()); ok {
		return askSecret(cmd, what, "")
	}
	return secretFrom(cmd.InOrStdin(), "standard input")
}

func secretFrom(r io.Reader, name string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSecretBytes+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecretBytes {
		return "", fmt.Errorf("%s is too large for a secret (hint: it should hold the secret and nothing else)", name)
	}
	return strings.TrimSpace(string(b)), nil
}

// askSecret asks a person at a terminal for a secret, which is not shown.
// Without a terminal it fails, and names the flag that gives the secret.
func askSecret(cmd *cobra.Command, what, flag string) (string, error) {
	f, ok := terminal.File(cmd.InOrStdin())
	if !ok {
		return "", fmt.Errorf("%w: no secret given, the %s (hint: %s)", errUsage, what, flag)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s (not shown): ", what)
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(cmd.ErrOrStderr())
	return strings.TrimSpace(string(b)), err
}

// confirm asks a person before something is destroyed.
func confirm(cmd *cobra.Command, yes bool, question string) (bool, error) {
	if yes {
		return true, nil
	}
	if f, ok := cmd.InOrStdin().(*os.File); ok && !term.IsTerminal(int(f.Fd())) {
		return false, fmt.Errorf("%w: this needs an answer (hint: --yes)", errUsage)
	}
	fmt.Fprint(cmd.ErrOrStderr(), question, " [y/N] ")
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && err != io.EOF {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "nothing was changed")
	return false, nil
}
