//! What versions and classes there are to order.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBEngineVersions.html>

use serde_json::{Value, json};

use super::{engine, filters, paged};
use crate::account::Ctx;
use crate::authorise::Grant;
use crate::error::{ApiError, Outcome};
use crate::input::Input;

pub(super) fn versions(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    ctx.authorise(Grant::new("rds:DescribeDBEngineVersions", "*"))?;
    // They only add to what is listed, or take away what is not simulated.
    input.ignore(&["ListSupportedCharacterSets", "ListSupportedTimezones", "IncludeAll"]);
    filters(input, &["db-parameter-group-family", "engine", "engine-mode", "engine-version", "status"])?
        .is_empty()
        .then_some(())
        .ok_or_else(|| ApiError::not_simulated("Filters of DescribeDBEngineVersions"))?;
    let engine = input.opt_str("Engine");
    let wanted = input.opt_str("EngineVersion");
    let family = input.opt_str("DBParameterGroupFamily");
    let fits = |(major, minor): (u32, u32)| {
        engine.is_none_or(|engine| engine == "postgres")
            && wanted.is_none_or(|wanted| wanted == format!("{major}.{minor}") || wanted == major.to_string())
            && family.is_none_or(|wanted| wanted == engine::family(major))
    };
    let mut found: Vec<(u32, u32)> = engine::all().into_iter().filter(|version| fits(*version)).collect();
    if input.bool_or("DefaultOnly", false)? {
        // The default of a major version is its newest; without one, that of the default major version.
        let major = match (wanted, family) {
            (None, None) => Some(engine::DEFAULT),
            _ => None,
        };
        found = found.into_iter().rfind(|(m, _)| major.is_none_or(|major| major == *m)).into_iter().collect();
    }
    paged(input, "DBEngineVersions", found.into_iter().map(version).collect())
}

fn version((major, minor): (u32, u32)) -> Value {
    let text = format!("{major}.{minor}");
    let targets: Vec<Value> = engine::all()
        .into_iter()
        .filter(|target| *target > (major, minor))
        .map(|(m, n)| {
            json!({
                "Engine": "postgres",
                "EngineVersion": format!("{m}.{n}"),
                "Description": format!("PostgreSQL {m}.{n}-R1"),
                "AutoUpgrade": false,
                "IsMajorVersionUpgrade": m != major,
            })
        })
        .collect();
    json!({
        "Engine": "postgres",
        "MajorEngineVersion": major.to_string(),
        "EngineVersion": text,
        "DBParameterGroupFamily": engine::family(major),
        "DBEngineDescription": "PostgreSQL",
        "DBEngineVersionDescription": format!("PostgreSQL {text}-R1"),
        "ValidUpgradeTarget": targets,
        "ExportableLogTypes": ["postgresql", "upgrade", "iam-db-auth-error"],
        "SupportsLogExportsToCloudwatchLogs": true,
        "SupportsReadReplica": true,
        "SupportedFeatureNames": ["Lambda", "s3Export", "s3Import"],
        "Status": "available",
        "SupportsParallelQuery": false,
        "SupportsGlobalDatabases": false,
        "SupportsBabelfish": false,
        "SupportsCertificateRotationWithoutRestart": true,
        "SupportedCACertificateIdentifiers": ["rds-ca-rsa2048-g1", "rds-ca-ecc384-g1", "rds-ca-rsa4096-g1"],
        "SupportsLocalWriteForwarding": false,
        "SupportsIntegrations": true,
    })
}

/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeOrderableDBInstanceOptions.html>
pub(super) fn orderable(ctx: &mut Ctx<'_>, input: &Input) -> Outcome {
    ctx.authorise(Grant::new("rds:DescribeOrderableDBInstanceOptions", "*"))?;
    filters(input, &[])?;
    engine::postgres(input)?;
    input.ignore(&["LicenseModel", "AvailabilityZoneGroup", "Vpc"]);
    let (wanted, class) = (input.opt_str("EngineVersion"), input.opt_str("DBInstanceClass"));
    let zones: Vec<Value> =
        ["a", "b", "c", "d"].iter().map(|z| json!({"Name": format!("{}{z}", ctx.account.region)})).collect();
    let mut found = Vec::new();
    for (major, minor) in engine::all() {
        let version = format!("{major}.{minor}");
        if wanted.is_some_and(|wanted| wanted != version && wanted != major.to_string()) {
            continue;
        }
        for family in ["t4g", "m7g", "r7g"] {
            for size in engine::SIZES {
                let name = format!("db.{family}.{size}");
                if class.is_some_and(|class| class != name) || engine::class(&name).is_err() {
                    continue;
                }
                found.push(json!({
                    "Engine": "postgres", "EngineVersion": version, "DBInstanceClass": name,
                    "LicenseModel": "postgresql-license", "AvailabilityZones": zones, "MultiAZCapable": true,
                    "ReadReplicaCapable": true, "Vpc": true, "SupportsStorageEncryption": true, "StorageType": "gp3",
                    "SupportsIops": true, "SupportsStorageThroughput": true, "SupportsEnhancedMonitoring": true,
                    "SupportsIAMDatabaseAuthentication": true, "SupportsPerformanceInsights": true,
                    "MinStorageSize": 20, "MaxStorageSize": 65536, "SupportsStorageAutoscaling": true,
                    "SupportedEngineModes": ["provisioned"], "SupportedNetworkTypes": ["IPV4", "DUAL"], "OutpostCapable": false,
                }));
            }
        }
    }
    paged(input, "OrderableDBInstanceOptions", found)
}
