package projections

import (
	_ "embed"

	"switchlog/schemas"
)

//go:embed settings.sql
var settingsSQL string

// Settings is how each system has configured PluralKit. Only changes are ever
// sent, so a setting that was never changed is NULL until the API was asked.
var Settings = Projection{
	Name: "settings", Source: schemas.PluralKit, Version: 3,
	Schema: settingsSQL,
	Fold:   foldSettings,
	Queries: []Query{{
		Name: "settings", Path: "settings", One: true,
		Doc: "The system's settings, as PluralKit's API shows them to its owner.",
		SQL: `SELECT timezone, pings_enabled AS pings_enabled_bool, latch_timeout,
				member_default_private AS member_default_private_bool,
				group_default_private AS group_default_private_bool,
				show_private_info AS show_private_info_bool, member_limit, group_limit,
				case_sensitive_proxy_tags AS case_sensitive_proxy_tags_bool,
				proxy_error_message_enabled AS proxy_error_message_enabled_bool,
				hid_display_split AS hid_display_split_bool, hid_display_caps AS hid_display_caps_bool,
				hid_list_padding, card_show_color_hex AS card_show_color_hex_bool, proxy_switch, name_format,
				description_templates AS description_templates_json
			FROM system_settings WHERE system_uuid = :tenant ORDER BY system_uuid LIMIT 1`,
	}},
}

var settingsEntity = entity{
	table: "system_settings", keys: []string{"system_uuid"},
	fields: schemas.PKSettingsFields,
	shape: []string{"timezone", "pings_enabled", "latch_timeout", "member_default_private", "group_default_private",
		"show_private_info", "member_limit", "group_limit", "case_sensitive_proxy_tags", "proxy_error_message_enabled",
		"hid_display_split", "hid_display_caps", "hid_list_padding", "card_show_color_hex", "proxy_switch",
		"name_format", "description_templates"},
}.prepare()

func foldSettings(tx *Tx, e schemas.Recorded) error {
	whole := e.Type == schemas.SettingsObserved || e.Type == schemas.SettingsImported
	if e.Route.Source != schemas.PluralKit || e.Type != schemas.PKSettingsUpdate && !whole {
		return nil
	}
	var values []schemas.Value
	var us int64
	var err error
	if whole {
		_, values, us, err = observed(e, schemas.PKSettingsFields)
	} else {
		values, err = schemas.DecodeFields(e.Type, e.Data, schemas.PKSettingsFields)
	}
	if err != nil {
		return err
	}
	r, err := tx.row(settingsEntity, e.Route.Tenant, e.Route.Tenant)
	if err != nil {
		return err
	}
	if whole {
		r.observe(values, us, e.ID)
	} else {
		r.set(values, versionOf(rankUpdate, e))
		r.see(e.Time.UnixMicro())
	}
	if err := tx.write(r); err != nil {
		return err
	}
	return tx.announce(r, schemas.SettingsChanged, "settings")
}
