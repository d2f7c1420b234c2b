package projections

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

//go:embed discord.sql
var discordSQL string

// Discord is what Discord's webhooks say of an application: who authorized
// it, what was bought, and the messages of its lobbies and games.
//
// Discord delivers out of order and more than once, so every field keeps the
// value of the newest event by Discord's own time: that of the edit, of a
// message. What was deleted stays deleted. Ids are unique among all of Discord,
// but an application says what it likes: keys begin with it, so that none
// takes another's.
var Discord = engine.Projection{
	Name: "discord", Source: schemas.Discord, Version: 3,
	Schema:   discordSQL,
	Handlers: engine.Any(foldDiscord),
	Queries: []engine.Query{{
		Name: "authorizations", Path: "authorizations",
		Doc: "Users who have authorized the application, by id.",
		SQL: `SELECT user_id, username, global_name, scopes AS scopes_json, integration_type, guild_id, guild_name, authorized
			FROM current_discord_authorizations WHERE application_id = :tenant ORDER BY user_id LIMIT 1000`,
	}, {
		Name: "entitlements", Path: "entitlements",
		Doc:    "Entitlements that were not taken back, by id.",
		Params: []engine.Param{{Name: "user_id", Doc: "Only those of this user."}},
		SQL: `SELECT id, sku_id, user_id, guild_id, type, consumed AS consumed_bool, starts_at, ends_at, subscription_id
			FROM current_discord_entitlements
			WHERE application_id = :tenant AND (:user_id IS NULL OR user_id = :user_id) ORDER BY id LIMIT 1000`,
	}, {
		Name: "messages", Path: "messages",
		Doc: "The newest messages of lobbies and games that are not deleted, newest first.",
		SQL: `SELECT id, kind, lobby_id, channel_id, author_id, author_username, content, timestamp, edited_timestamp
			FROM current_discord_messages WHERE application_id = :tenant ORDER BY length(id) DESC, id DESC LIMIT 100`,
	}},
}

// authorizationFields are not sent as they are kept: they are of several
// objects.
var authorizationFields = []schemas.Field{
	{Name: "username", Null: true},
	{Name: "global_name", Null: true},
	{Name: "scopes", Kind: schemas.List, Null: true},
	{Name: "integration_type", Kind: schemas.Int, Null: true},
	{Name: "guild_id", Null: true},
	{Name: "guild_name", Null: true},
	{Name: "authorized", Kind: schemas.Time, Null: true},
	{Name: "deauthorized", Kind: schemas.Time, Null: true},
}

var authorizationEntity = merge.Entity{
	Table: "discord_authorizations", Keys: []string{"application_id", "user_id"}, Told: true,
	Fields: authorizationFields,
}.Prepare()

var entitlementEntity = merge.Entity{
	Table: "discord_entitlements", Keys: []string{"application_id", "id"}, Told: true, Deletes: true,
	Fields: schemas.DiscordEntitlementFields,
}.Prepare()

// authorFields are of the user inside a message; kind says which sort of
// event told of it.
var authorFields = []schemas.Field{
	{Name: "kind"},
	{Name: "author_id"},
	{Name: "author_username"},
	{Name: "author_global_name", Null: true},
}

var discordMessageEntity = merge.Entity{
	Table: "discord_messages", Keys: []string{"application_id", "id"}, Told: true, Deletes: true,
	Fields: slices.Concat(schemas.DiscordMessageFields, authorFields),
}.Prepare()

func foldDiscord(tx *engine.Tx, e schemas.Recorded) error {
	switch e.Type {
	case schemas.DiscordApplicationAuthorized, schemas.DiscordApplicationDeauthorized:
		return foldAuthorization(tx, e)
	case schemas.DiscordEntitlementCreate, schemas.DiscordEntitlementUpdate, schemas.DiscordEntitlementDelete:
		return foldEntitlement(tx, e)
	case schemas.DiscordLobbyMessageCreate, schemas.DiscordLobbyMessageUpdate, schemas.DiscordLobbyMessageDelete:
		return foldDiscordMessage(tx, e, "lobby")
	case schemas.DiscordDirectMessageCreate, schemas.DiscordDirectMessageUpdate, schemas.DiscordDirectMessageDelete:
		return foldDiscordMessage(tx, e, "direct")
	}
	return nil
}

// discordUS is when it happened, as Discord says; if it did not say, when we
// accepted it.
func discordUS(e schemas.Recorded) int64 {
	if s, ok := e.Extensions[schemas.DiscordTimeExtension].(string); ok {
		if t, err := schemas.ParseDiscordTime(s); err == nil {
			return t.UnixMicro()
		}
	}
	return e.Time.UnixMicro()
}

// discordVersion orders creates before updates and deletes: some are as exact
// as the event, and a create is never newer.
func discordVersion(e schemas.Recorded, us int64) merge.FieldVersion {
	rank := merge.RankUpdate
	if e.Route.Verb == "create" {
		rank = merge.RankCreate
	}
	return merge.FieldVersion{Rank: rank, US: us, ID: e.ID}
}

func foldAuthorization(tx *engine.Tx, e schemas.Recorded) error {
	d, err := schemas.Decode[schemas.DiscordAuthorization](e.Event)
	if err == nil {
		err = merge.NeedID("the user", d.User.ID)
	}
	if err != nil {
		return err
	}
	us := discordUS(e)
	values := map[string]any{"username": d.User.Username, "global_name": orNull(d.User.GlobalName)}
	if e.Type == schemas.DiscordApplicationDeauthorized {
		values["deauthorized"] = us
	} else if err := authorized(values, d, us); err != nil {
		return err
	}
	return merge.Into(tx, authorizationEntity, func(r *merge.Row) {
		r.Set(pick(authorizationFields, values), discordVersion(e, us))
	}, e.Route.Tenant, d.User.ID)
}

// authorized is what an authorization sets: all of it, also what it leaves
// out.
func authorized(values map[string]any, d schemas.DiscordAuthorization, us int64) error {
	values["authorized"] = us
	values["scopes"], values["integration_type"], values["guild_id"], values["guild_name"] = nil, nil, nil, nil
	if d.Scopes != nil {
		scopes, err := json.Marshal(*d.Scopes) // a list, though it be empty
		if err != nil {
			return err
		}
		values["scopes"] = string(scopes)
	}
	if d.IntegrationType != nil {
		values["integration_type"] = *d.IntegrationType
	}
	if d.Guild != nil {
		values["guild_id"], values["guild_name"] = d.Guild.ID, orNull(d.Guild.Name)
	}
	return nil
}

func foldEntitlement(tx *engine.Tx, e schemas.Recorded) error {
	o, id, err := discordObject(e)
	if err != nil {
		return err
	}
	values, err := o.Fields(schemas.DiscordEntitlementFields)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Type, err)
	}
	deleted, err := o.Fields([]schemas.Field{{Name: "deleted", Kind: schemas.Bool, Null: true}})
	if err != nil {
		return fmt.Errorf("%s: %w", e.Type, err)
	}
	us := discordUS(e)
	return merge.Into(tx, entitlementEntity, func(r *merge.Row) {
		r.Set(values, discordVersion(e, us))
		if e.Type == schemas.DiscordEntitlementDelete || len(deleted) > 0 && deleted[0].Value == true {
			r.Tombstone(us)
		}
	}, e.Route.Tenant, id)
}

func foldDiscordMessage(tx *engine.Tx, e schemas.Recorded, kind string) error {
	o, id, err := discordObject(e)
	if err != nil {
		return err
	}
	values, err := o.Fields(schemas.DiscordMessageFields)
	if err != nil {
		return fmt.Errorf("%s: %w", e.Type, err)
	}
	us := discordUS(e)
	for _, v := range values {
		if edited, is := v.Value.(int64); is && v.Field.Name == "edited_timestamp" {
			us = edited
		}
	}
	about := map[string]any{"kind": kind}
	if raw, there := o["author"]; there && string(raw) != "null" {
		var author schemas.DiscordUser
		if err := json.Unmarshal(raw, &author); err != nil {
			return fmt.Errorf("%s: author: %w", e.Type, err)
		}
		about["author_id"], about["author_username"] = author.ID, author.Username
		about["author_global_name"] = orNull(author.GlobalName)
	}
	return merge.Into(tx, discordMessageEntity, func(r *merge.Row) {
		r.Set(append(values, pick(authorFields, about)...), discordVersion(e, us))
		if e.Route.Verb == "delete" {
			r.Tombstone(discordUS(e))
		}
		if r.DeletedUS != nil {
			r.Put(r.Column("content"), nil) // whoever deletes a message means it
		}
	}, e.Route.Tenant, id)
}

// discordObject is the data of an event that is an object with an id.
func discordObject(e schemas.Recorded) (schemas.Object, string, error) {
	o, err := schemas.Decode[schemas.Object](e.Event)
	if err != nil {
		return nil, "", err
	}
	id, err := o.Text("id")
	if err == nil {
		err = merge.NeedID("the object", id)
	}
	return o, id, err
}

// pick are the values that are there, of these fields and in their order.
func pick(fields []schemas.Field, values map[string]any) []schemas.Value {
	var out []schemas.Value
	for i, f := range fields {
		if v, there := values[f.Name]; there {
			out = append(out, schemas.Value{Field: &fields[i], Value: v})
		}
	}
	return out
}

func orNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}
