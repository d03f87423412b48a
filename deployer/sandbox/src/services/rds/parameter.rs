//! The parameters of PostgreSQL that RDS lets one set: the ones in common use, not all of its four hundred.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Parameters.html>

use serde_json::{Value, json};

use super::{combination, invalid};
use crate::error::ApiError;

/// A parameter: name, whether it takes effect without a restart, its type, its values and its value in RDS.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    dynamic: bool,
    data_type: &'static str,
    allowed: &'static str,
    /// What RDS sets by itself, if it does.
    system: Option<&'static str>,
}

const fn dynamic(name: &'static str, data_type: &'static str, allowed: &'static str) -> Parameter {
    Parameter { name, dynamic: true, data_type, allowed, system: None }
}

const fn fixed(name: &'static str, data_type: &'static str, allowed: &'static str) -> Parameter {
    Parameter { name, dynamic: false, data_type, allowed, system: None }
}

const fn system(parameter: Parameter, value: &'static str) -> Parameter {
    Parameter { system: Some(value), ..parameter }
}

const FLAG: &str = "0,1";

pub(super) const KNOWN: &[Parameter] = &[
    dynamic("application_name", "string", ""),
    dynamic("auto_explain.log_analyze", "boolean", FLAG),
    dynamic("auto_explain.log_min_duration", "integer", "-1-2147483647"),
    dynamic("autovacuum", "boolean", FLAG),
    dynamic("autovacuum_analyze_scale_factor", "float", "0-100"),
    fixed("autovacuum_max_workers", "integer", "1-262143"),
    dynamic("autovacuum_naptime", "integer", "1-2147483"),
    dynamic("autovacuum_vacuum_cost_limit", "integer", "-1-10000"),
    dynamic("autovacuum_vacuum_scale_factor", "float", "0-100"),
    dynamic("checkpoint_completion_target", "float", "0-1"),
    dynamic("checkpoint_timeout", "integer", "30-86400"),
    dynamic("client_min_messages", "string", "debug5,debug4,debug3,debug2,debug1,log,notice,warning,error"),
    dynamic("deadlock_timeout", "integer", "1-2147483647"),
    dynamic("default_statistics_target", "integer", "1-10000"),
    system(dynamic("default_toast_compression", "string", "pglz,lz4"), "lz4"),
    system(dynamic("effective_cache_size", "integer", "1-2147483647"), "{DBInstanceClassMemory/16384}"),
    dynamic("effective_io_concurrency", "integer", "0-1000"),
    dynamic("idle_in_transaction_session_timeout", "integer", "0-2147483647"),
    dynamic("idle_session_timeout", "integer", "0-2147483647"),
    dynamic("lock_timeout", "integer", "0-2147483647"),
    dynamic("log_autovacuum_min_duration", "integer", "-1-2147483647"),
    dynamic("log_checkpoints", "boolean", FLAG),
    dynamic("log_connections", "string", ""),
    dynamic("log_disconnections", "boolean", FLAG),
    dynamic("log_duration", "boolean", FLAG),
    dynamic("log_error_verbosity", "string", "terse,default,verbose"),
    dynamic("log_lock_waits", "boolean", FLAG),
    dynamic("log_min_duration_statement", "integer", "-1-2147483647"),
    dynamic(
        "log_min_error_statement",
        "string",
        "debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic",
    ),
    dynamic(
        "log_min_messages",
        "string",
        "debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic",
    ),
    dynamic("log_rotation_age", "integer", "1-1440"),
    dynamic("log_rotation_size", "integer", "50-1000000"),
    dynamic("log_statement", "string", "none,ddl,mod,all"),
    dynamic("log_temp_files", "integer", "-1-2147483647"),
    system(
        dynamic("maintenance_work_mem", "integer", "1024-2147483647"),
        "GREATEST({DBInstanceClassMemory*1024/63963136},65536)",
    ),
    system(fixed("max_connections", "integer", "6-262143"), "LEAST({DBInstanceClassMemory/9531392},5000)"),
    fixed("max_locks_per_transaction", "integer", "10-2147483647"),
    dynamic("max_parallel_workers", "integer", "0-1024"),
    dynamic("max_parallel_workers_per_gather", "integer", "0-1024"),
    fixed("max_replication_slots", "integer", "5-8388607"),
    dynamic("max_slot_wal_keep_size", "integer", "-1-2147483647"),
    fixed("max_wal_senders", "integer", "5-8388607"),
    dynamic("max_wal_size", "integer", "128-201326592"),
    fixed("max_worker_processes", "integer", "0-262143"),
    dynamic("min_wal_size", "integer", "128-201326592"),
    dynamic("password_encryption", "string", "md5,scram-sha-256"),
    fixed("pg_stat_statements.max", "integer", "100-2147483647"),
    dynamic("pg_stat_statements.track", "string", "none,top,all"),
    dynamic(
        "pgaudit.log",
        "string",
        "ddl,function,misc,read,role,write,none,all,-ddl,-function,-misc,-read,-role,-write",
    ),
    dynamic("pgaudit.role", "string", "rds_pgaudit"),
    dynamic("random_page_cost", "float", "0-1.79769e+308"),
    dynamic("rds.accepted_password_auth_method", "string", "scram,md5+scram"),
    system(
        dynamic(
            "rds.force_admin_logging_level",
            "string",
            "disabled,debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic",
        ),
        "disabled",
    ),
    system(
        dynamic(
            "rds.force_autovacuum_logging_level",
            "string",
            "disabled,debug5,debug4,debug3,debug2,debug1,info,notice,warning,error,log,fatal,panic",
        ),
        "warning",
    ),
    system(dynamic("rds.force_ssl", "boolean", FLAG), "1"),
    system(dynamic("rds.log_retention_period", "integer", "1440-10080"), "4320"),
    fixed("rds.logical_replication", "boolean", FLAG),
    dynamic("rds.restrict_password_commands", "boolean", FLAG),
    dynamic("seq_page_cost", "float", "0-1.79769e+308"),
    system(fixed("shared_buffers", "integer", "16-1073741823"), "{DBInstanceClassMemory/32768}"),
    system(
        fixed(
            "shared_preload_libraries",
            "list",
            "auto_explain,orafce,pg_bigm,pg_cron,pg_hint_plan,pg_prewarm,pg_similarity,pg_stat_statements,pg_tle,pg_transport,pgaudit,pglogical,plprofiler,plrust,pgactive",
        ),
        "pg_stat_statements",
    ),
    dynamic("statement_timeout", "integer", "0-2147483647"),
    dynamic("synchronous_commit", "string", "local,on,off"),
    dynamic("tcp_keepalives_idle", "integer", "0-2147483647"),
    dynamic("temp_file_limit", "integer", "-1-2147483647"),
    dynamic("timezone", "string", ""),
    fixed("track_activity_query_size", "integer", "100-1048576"),
    dynamic("track_functions", "string", "none,pl,all"),
    dynamic("track_io_timing", "boolean", FLAG),
    fixed("wal_buffers", "integer", "-1-262143"),
    system(dynamic("wal_keep_size", "integer", "0-2147483647"), "2048"),
    system(dynamic("wal_sender_timeout", "integer", "0-3600000"), "30000"),
    dynamic("work_mem", "integer", "64-2147483647"),
];

pub(super) fn find(name: &str) -> Option<&'static Parameter> {
    KNOWN.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))
}

impl Parameter {
    /// Whether a value may be set: one of those allowed, a number in a range, or a formula.
    pub(super) fn check(&self, value: &str) -> Result<(), ApiError> {
        let wrong = || {
            invalid(format!("Invalid parameter value: {value} for: {} allowed values are: {}", self.name, self.allowed))
        };
        let fine = match self.data_type {
            "integer" | "float" if value.contains('{') => true,
            "integer" | "float" => self.in_range(value.parse().map_err(|_| wrong())?),
            "boolean" => matches!(value, "0" | "1" | "on" | "off" | "true" | "false"),
            "list" => value.split(',').all(|item| self.listed(item.trim())),
            _ if self.allowed.is_empty() => true,
            _ => value.split(',').all(|item| self.listed(item.trim())),
        };
        if fine { Ok(()) } else { Err(wrong()) }
    }

    fn listed(&self, value: &str) -> bool {
        self.allowed.split(',').any(|allowed| allowed == value)
    }

    fn in_range(&self, value: f64) -> bool {
        // The first hyphen that is not a sign separates the bounds.
        let split = self.allowed.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(at, _)| at);
        let bounds = split.map(|at| (self.allowed[..at].parse::<f64>(), self.allowed[at + 1..].parse::<f64>()));
        matches!(bounds, Some((Ok(low), Ok(high))) if (low..=high).contains(&value))
    }

    /// A static parameter cannot take effect at once.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Parameter.html>
    pub(super) fn method(&self, method: &str) -> Result<(), ApiError> {
        if method == "immediate" && !self.dynamic {
            return Err(combination("cannot use immediate apply method for static parameter"));
        }
        Ok(())
    }

    /// The parameter in a group that may have set it.
    pub(super) fn shown(&self, set: Option<&Value>) -> Value {
        let source = match (set, self.system) {
            (Some(_), _) => "user",
            (None, Some(_)) => "system",
            (None, None) => "engine-default",
        };
        let mut shown = json!({
            "ParameterName": self.name,
            "Description": format!("Sets {}.", self.name),
            "Source": source,
            "ApplyType": if self.dynamic { "dynamic" } else { "static" },
            "DataType": self.data_type,
            "IsModifiable": true,
            "ApplyMethod": set.map_or("pending-reboot", |set| set["method"].as_str().unwrap_or("pending-reboot")),
        });
        if !self.allowed.is_empty() {
            shown["AllowedValues"] = self.allowed.into();
        }
        if let Some(value) = set.and_then(|set| set["value"].as_str()).or(self.system) {
            shown["ParameterValue"] = value.into();
        }
        shown
    }
}
