package pluralkit

import (
	"path/filepath"
	"strings"
	"testing"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

// TestHeldPlans: what is held of one system is found without a look at the
// others'.
func TestHeldPlans(t *testing.T) {
	db, err := engine.Open(engine.Config{Path: filepath.Join(t.TempDir(), "projections.db"),
		Projections: []engine.Projection{Systems, Settings, Members, Groups, Accounts, Guilds, Autoproxy}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, en := range []*merge.Entity{memberEntity, groupEntity, accountEntity, systemGuildEntity, memberGuildEntity, autoproxyEntity, settingsEntity} {
		var plan strings.Builder
		err := db.View(t.Context(), func(tx *engine.Tx, _ schemas.Position) error {
			return tx.Each(`EXPLAIN QUERY PLAN `+en.OfTenant, []any{"sys", 1}, func(r engine.Row) error {
				plan.WriteString(r.Text(3) + "\n")
				return nil
			})
		})
		if err != nil || plan.Len() == 0 || strings.Contains(plan.String(), "SCAN") {
			t.Errorf("%s\n%s%v", en.OfTenant, plan.String(), err)
		}
	}
}
