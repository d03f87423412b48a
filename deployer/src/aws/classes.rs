//! What AWS's error codes mean for what to do next. One table; matched on the code, and on the message only where
//! a code is shared with permanent faults.

use wharf_engine::Class;

/// A row: the code (`*` at its end matches any rest), a part of the message or "" for any, and the class.
type Row = (&'static str, &'static str, Class);

const TABLE: &[Row] = &[
    // Throttles come as 400, 429 or 503 and under a dozen codes.
    ("Throttling*", "", Class::Throttled),
    ("ThrottledException", "", Class::Throttled),
    ("RequestThrottled*", "", Class::Throttled),
    ("TooManyRequestsException", "", Class::Throttled),
    ("RequestLimitExceeded", "", Class::Throttled),
    ("BandwidthLimitExceeded", "", Class::Throttled),
    ("ProvisionedThroughputExceededException", "", Class::Throttled),
    ("TransactionInProgressException", "", Class::Throttled),
    ("SlowDown", "", Class::Throttled),
    ("PriorRequestNotComplete", "", Class::Busy),
    // Not yet visible: seconds.
    ("InvalidParameterValueException", "cannot be assumed by", Class::NotYetVisible),
    ("InvalidParameterValueException", "does not have permissions to call", Class::NotYetVisible),
    // A queue that its mapping cannot read yet.
    ("InvalidParameterValueException", "NonExistentQueue", Class::NotYetVisible),
    ("InvalidAttributeValue", "Invalid value for the parameter Policy", Class::NotYetVisible),
    ("InvalidParameterValue", "Invalid value for the parameter Policy", Class::NotYetVisible),
    ("InvalidParameterValue", "Invalid IAM Instance Profile", Class::NotYetVisible),
    ("InvalidParameterValue", "required permissions for: ENHANCED_MONITORING", Class::NotYetVisible),
    ("InvalidParameterCombination", "ENHANCED_MONITORING", Class::NotYetVisible),
    ("MalformedPolicyDocumentException", "rincipal", Class::NotYetVisible),
    ("MalformedPolicyDocument", "rincipal", Class::NotYetVisible),
    ("InvalidParameterException", "PrincipalNotFound", Class::NotYetVisible),
    ("InvalidParameterException", "Unable to assume the service linked role", Class::NotYetVisible),
    ("ValidationException", "to assume the role", Class::NotYetVisible),
    ("InvalidParameter", "PrincipalNotFound", Class::NotYetVisible),
    ("InvalidRequestException", "role", Class::NotYetVisible),
    ("ValidationError", "in the alarm rule do not exist", Class::NotYetVisible),
    // A profile holds one role: the one that it has is not seen yet.
    ("LimitExceeded", "InstanceSessionsPerInstanceProfile", Class::NotYetVisible),
    // Auto Scaling says this of whatever a group names, and of the group itself.
    ("ValidationError", "Invalid IAM Instance Profile", Class::NotYetVisible),
    ("ValidationError", "has no associated IAM Roles", Class::NotYetVisible),
    ("ValidationError", "does not exist", Class::NotYetVisible),
    ("ValidationError", "Could not find the specified version", Class::NotYetVisible),
    ("InvalidLaunchTemplateId.VersionNotFound", "", Class::NotYetVisible),
    ("ValidationException", "ECS service doesn't exist", Class::NotYetVisible),
    // A target group that no listener names yet: its listener is on its way.
    ("InvalidParameterException", "does not have an associated load balancer", Class::NotYetVisible),
    ("InvalidParameterException", "Role is not valid", Class::NotYetVisible),
    ("ClientException", "Role is not valid", Class::NotYetVisible),
    ("Gateway.NotAttached", "", Class::NotYetVisible),
    ("InvalidRole", "", Class::NotYetVisible),
    ("InvalidSubnet", "", Class::NotYetVisible),
    ("InvalidVPCNetworkStateFault", "", Class::NotYetVisible),
    ("InvalidChangeBatch", "but that target was not found", Class::NotYetVisible),
    ("SubnetNotFound", "", Class::NotYetVisible),
    ("InvalidSecurityGroup", "does not exist", Class::NotYetVisible),
    ("CertificateNotFound", "", Class::NotYetVisible),
    ("KMSKeyNotAccessibleFault", "", Class::NotYetVisible),
    // In use, draining: minutes.
    ("DependencyViolation", "", Class::Draining),
    ("InvalidIPAddress.InUse", "", Class::Draining),
    // An address that AWS's own interface still holds, such as a NAT gateway's.
    ("AuthFailure", "permission to access the specified resource", Class::Draining),
    ("InvalidDBSubnetGroupStateFault", "", Class::Draining),
    ("InvalidDBParameterGroupState*", "", Class::Draining),
    // One change an hour.
    // <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html>
    ("ValidationException", "modified multiple times", Class::Draining),
    ("DeleteConflict", "", Class::Draining),
    // An alarm that a composite alarm looks at.
    ("ResourceConflict", "", Class::Draining),
    ("ClusterContains*", "", Class::Draining),
    ("InvalidParameterException", "still Draining", Class::Draining),
    ("InvalidParameterException", "not idempotent", Class::Exists),
    // A group is behind one load balancer at a time, a priority with one rule: the other is going.
    ("TargetGroupAssociationLimit", "", Class::Draining),
    ("PriorityInUse", "", Class::Draining),
    ("HostedZoneNotEmpty", "", Class::Draining),
    // The name of a queue that was deleted is free after sixty seconds.
    ("*QueueDeletedRecently", "", Class::Draining),
    ("ValidationException", "since it has targets", Class::Draining),
    ("ResourceInUse", "", Class::Draining),
    ("ScalingActivityInProgress", "", Class::Draining),
    // One at a time.
    ("InstanceRefreshInProgress", "", Class::Busy),
    ("ResourceContention", "", Class::Busy),
    ("ValidationError", "is not in InService", Class::Busy),
    ("ValidationError", "is not part of Auto Scaling group", Class::Busy),
    ("InvalidChangeBatch", "but it was not found", Class::Busy),
    ("InvalidChangeBatch", "do not match the current values", Class::Busy),
    // A certificate that is about to be issued.
    ("UnsupportedCertificate", "", Class::Busy),
    ("InvalidDBInstanceState*", "", Class::Busy),
    ("OperationAbortedException", "", Class::Busy),
    ("TooManyUpdates", "", Class::Busy),
    ("ConcurrentUpdateException", "", Class::Busy),
    // Of a function's policy: somebody else writes it too.
    ("PreconditionFailedException", "", Class::Busy),
    ("ConcurrentModification*", "", Class::Busy),
    ("EntityTemporarilyUnmodifiable", "", Class::Busy),
    // A function, a mapping of that queue to that function, a statement of a function's policy.
    ("ResourceConflictException", "already exist", Class::Exists),
    ("ResourceConflictException", "", Class::Busy),
    ("UpdateInProgressException", "", Class::Busy),
    ("ResourceInUseException", "Table already exists", Class::Exists),
    ("ResourceInUseException", "", Class::Busy),
    ("KMSInvalidStateException", "is pending deletion", Class::Invalid),
    ("KMSInvalidStateException", "", Class::Busy),
    ("ContinuousBackupsUnavailableException", "", Class::Busy),
    ("IncorrectState", "", Class::Busy),
    ("IncorrectInstanceState", "", Class::Busy),
    // Already there.
    ("AlreadyExists", "", Class::Exists),
    ("InvalidLaunchTemplateName.AlreadyExistsException", "", Class::Exists),
    ("InvalidChangeBatch", "but it already exists", Class::Exists),
    ("DuplicateLoadBalancerName", "", Class::Exists),
    ("DuplicateTargetGroupName", "", Class::Exists),
    ("DuplicateListener", "", Class::Exists),
    ("HostedZoneAlreadyExists", "", Class::Exists),
    ("EntityAlreadyExists", "", Class::Exists),
    ("NamespaceAlreadyExists", "", Class::Exists),
    ("ConflictingDomainExists", "", Class::Exists),
    ("DuplicateRequest", "", Class::Exists),
    ("ServiceAlreadyExists", "", Class::Exists),
    ("*QueueNameExists", "", Class::Exists),
    ("QueueAlreadyExists", "", Class::Exists),
    // Of EventBridge Scheduler; also what is still being deleted.
    ("ConflictException", "", Class::Exists),
    ("AlreadyExistsException", "", Class::Exists),
    ("ResourceAlreadyExistsException", "", Class::Exists),
    ("RepositoryAlreadyExistsException", "", Class::Exists),
    ("ParameterAlreadyExists", "", Class::Exists),
    ("InvalidParameter", "already exists with different", Class::Exists),
    ("InvalidGroup.Duplicate", "", Class::Exists),
    ("InvalidPermission.Duplicate", "", Class::Exists),
    ("RouteAlreadyExists", "", Class::Exists),
    ("InvalidSubnet.Conflict", "", Class::Exists),
    ("FlowLogAlreadyExists", "", Class::Exists),
    ("Resource.AlreadyAssociated", "", Class::Exists),
    ("DBInstanceAlreadyExists*", "", Class::Exists),
    ("DBSubnetGroupAlreadyExists*", "", Class::Exists),
    ("DBParameterGroupAlreadyExists*", "", Class::Exists),
    ("DBSnapshotAlreadyExists*", "", Class::Exists),
    // Not there.
    ("ValidationError", "AutoScalingGroup name not found", Class::Missing),
    ("LoadBalancerNotFound", "", Class::Missing),
    ("TargetGroupNotFound", "", Class::Missing),
    ("ListenerNotFound", "", Class::Missing),
    ("RuleNotFound", "", Class::Missing),
    ("NoSuchHostedZone", "", Class::Missing),
    ("NoSuchEntity", "", Class::Missing),
    ("NotFoundException", "", Class::Missing),
    ("NotFound", "", Class::Missing),
    ("ResourceNotFound", "", Class::Missing),
    ("NamespaceNotFound", "", Class::Missing),
    ("ServiceNotFound*", "", Class::Missing),
    ("OperationNotFound", "", Class::Missing),
    ("ObjectNotFoundException", "", Class::Missing),
    ("ClusterNotFoundException", "", Class::Missing),
    ("ClientException", "Unable to describe task definition", Class::Missing),
    ("ClientException", "TaskDefinition not found", Class::Missing),
    ("ClientException", "task definition does not exist", Class::Missing),
    ("ServiceNotActiveException", "", Class::Missing),
    ("ResourceNotFoundException", "", Class::Missing),
    ("RepositoryNotFoundException", "", Class::Missing),
    ("LifecyclePolicyNotFoundException", "", Class::Missing),
    ("RepositoryPolicyNotFoundException", "", Class::Missing),
    ("ParameterNotFound", "", Class::Missing),
    ("*NonExistentQueue", "", Class::Missing),
    ("QueueDoesNotExist", "", Class::Missing),
    ("InvalidResourceId", "", Class::Missing),
    ("TableNotFoundException", "", Class::Missing),
    ("DBInstanceNotFound*", "", Class::Missing),
    ("DBInstanceAutomatedBackupNotFound*", "", Class::Missing),
    ("DBSnapshotNotFound*", "", Class::Missing),
    ("DBSubnetGroupNotFound*", "", Class::Missing),
    ("DBParameterGroupNotFound*", "", Class::Missing),
    ("InvalidPermission.NotFound", "", Class::Missing),
    ("InvalidRoute.NotFound", "", Class::Missing),
    ("InvalidAllocationID.NotFound", "", Class::Missing),
    ("InvalidAssociationID.NotFound", "", Class::Missing),
    ("Gateway.NotFound", "", Class::Missing),
    ("NatGatewayNotFound", "", Class::Missing),
    ("Invalid*", "does not exist", Class::Missing),
    ("Invalid*.NotFound", "", Class::Missing),
    ("InvalidGroupId.*", "", Class::Missing),
    // Refused.
    ("AccessDenied*", "", Class::Refused),
    ("AuthorizationError", "", Class::Refused),
    ("UnauthorizedOperation", "", Class::Refused),
    ("AuthFailure", "", Class::Refused),
    ("UnrecognizedClientException", "", Class::Refused),
    ("InvalidClientTokenId", "", Class::Refused),
    ("SignatureDoesNotMatch", "", Class::Refused),
    ("ExpiredToken*", "", Class::Refused),
    ("MissingAuthenticationToken*", "", Class::Refused),
    ("OptInRequired", "", Class::Refused),
    // A limit of the account.
    ("InvalidParameterValueException", "UnreservedConcurrentExecution", Class::Quota),
    ("*LimitExceeded*", "", Class::Quota),
    ("*QuotaExceeded*", "", Class::Quota),
    ("ServiceQuotaExceededException", "", Class::Quota),
    ("TooMany*", "", Class::Quota),
    ("LimitExceededException", "", Class::Quota),
    // AWS does not know what became of it.
    ("InternalError", "", Class::Ambiguous),
    ("InternalFailure", "", Class::Ambiguous),
    ("InternalServerError", "", Class::Ambiguous),
    ("InternalServiceError", "", Class::Ambiguous),
    ("ServiceFailure", "", Class::Ambiguous),
    ("ServerException", "", Class::Ambiguous),
    ("KMSInternalException", "", Class::Ambiguous),
    ("DependencyTimeoutException", "", Class::Ambiguous),
    ("ServiceUnavailable*", "", Class::Ambiguous),
    ("Unavailable", "", Class::Ambiguous),
    ("RequestTimeout*", "", Class::Ambiguous),
];

/// The class of an answer of AWS: by code and message; a code that the table does not know is permanent, unless the
/// HTTP status says that the server failed.
pub(super) fn class(code: &str, message: &str, status: u16) -> Class {
    let row = TABLE.iter().find(|(pattern, part, _)| matches(pattern, code) && message.contains(part));
    match row {
        Some((_, _, class)) => *class,
        None if status >= 500 && status != 501 => Class::Ambiguous,
        None if status == 429 => Class::Throttled,
        None => Class::Invalid,
    }
}

fn matches(pattern: &str, code: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == code,
        Some(("", rest)) => code.contains(rest.trim_end_matches('*')),
        Some((start, rest)) => code.starts_with(start) && code[start.len()..].contains(rest.trim_end_matches('*')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_shared_with_permanent_faults_is_told_by_its_message() {
        let propagating = "The role defined for the function cannot be assumed by Lambda.";
        assert_eq!(class("InvalidParameterValueException", propagating, 400), Class::NotYetVisible);
        assert_eq!(class("InvalidParameterValueException", "memory is too small", 400), Class::Invalid);
    }

    #[test]
    fn every_not_found_of_ec2_is_missing() {
        for code in ["InvalidVpcID.NotFound", "InvalidSubnetID.NotFound", "InvalidGroup.NotFound"] {
            assert_eq!(class(code, "", 400), Class::Missing, "{code}");
        }
    }

    #[test]
    fn an_unknown_code_is_permanent_unless_the_server_failed() {
        assert_eq!(class("Surprise", "", 400), Class::Invalid);
        assert_eq!(class("Surprise", "", 503), Class::Ambiguous);
        assert_eq!(class("NotSimulated", "", 501), Class::Invalid);
    }
}
