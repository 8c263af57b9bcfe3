// Columns of the table monitor that Uptime Kuma 2.5.3 has, with its types and defaults, for fields a client may write:
// the npm package 2.0.0-dev.0 refuses a monitor for each it lacks. A migration: a fresh database has them at once.
// Left out on purpose: what belongs to kinds of monitors that the package does not have.
exports.up = function (knex) {
    return knex.schema.alterTable("monitor", function (table) {
        table.text("bearer_token").defaultTo(null);
        table.boolean("cache_bust").notNullable().defaultTo(false);
        table.text("conditions").notNullable().defaultTo("[]");
        table.boolean("domain_expiry_notification").defaultTo(0);
        table.string("ip_family", 4).defaultTo(null);
        table.string("json_path_operator").defaultTo(null);
        table.integer("ping_count").notNullable().defaultTo(1);
        table.boolean("ping_numeric").notNullable().defaultTo(true);
        table.integer("ping_per_request_timeout").notNullable().defaultTo(2);
        table.integer("response_max_length").notNullable().defaultTo(1024);
        table.boolean("retry_only_on_status_code_failure").notNullable().defaultTo(false);
        table.boolean("save_error_response").notNullable().defaultTo(true);
        table.boolean("save_response").notNullable().defaultTo(false);
    });
};

exports.down = function (knex) {
    return Promise.resolve();
};
