//! What Cloud Map does after it has answered: this run knows the operation that its last change began.

use aws_sdk_servicediscovery::types::{Operation, OperationStatus};
use wharf_engine::{Class, Health, LogicalId};

use crate::aws::call::{Aws, CallError};

/// What is noted of a namespace that goes: AWS lists it as ever until it is gone.
pub(super) const DELETING: &str = "deleting";

/// The operation that this run's last change of the resource began, if it began one. One that ended well is asked after
/// no more.
pub(super) async fn of(aws: &Aws, id: &LogicalId) -> Result<Option<Operation>, CallError> {
    let Some(operation) = aws.noted(id).filter(|noted| noted != DELETING) else { return Ok(None) };
    let send = || aws.servicediscovery.get_operation().operation_id(&operation).send();
    match aws.call("servicediscovery:GetOperation", &operation, send).await {
        Err(error) if error.class == Class::Missing => Ok(None),
        answer => {
            let operation = answer?.operation;
            if operation.as_ref().and_then(Operation::status) == Some(&OperationStatus::Success) {
                aws.forget(id);
            }
            Ok(operation)
        }
    }
}

/// How far a resource has come that is listed: a change of it may still be under way.
pub(super) async fn health(aws: &Aws, id: &LogicalId) -> Result<Health, CallError> {
    if aws.noted(id).as_deref() == Some(DELETING) {
        return Ok(Health::Deleting);
    }
    let operation = of(aws, id).await?;
    Ok(match operation.as_ref().and_then(Operation::status) {
        Some(OperationStatus::Submitted | OperationStatus::Pending) => Health::Settling("changing".to_owned()),
        _ => Health::Ready,
    })
}
