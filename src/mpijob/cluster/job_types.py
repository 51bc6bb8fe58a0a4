"""The types of an MPIJob's fields, in the notation of `pod_types`.

Source: `MPIJob`, mpi-operator v0.8.2 (pkg/apis/kubeflow/v2beta1/types.go); of the
status, `restarts`, `failure`, `state` and `ready` are ours.
"""

JOB_TYPES = {
    "MPIJob": (
        "apiVersion:string kind:string metadata:ObjectMeta spec:MPIJobSpec status?:MPIJobStatus"
    ),
    "ObjectMeta": (
        "name:string generateName:string namespace:string uid:string resourceVersion:string "
        "generation?:int64 creationTimestamp?:time deletionTimestamp?:time "
        "deletionGracePeriodSeconds?:int64 labels?:{string} annotations?:{string} "
        "ownerReferences?:[OwnerReference] finalizers?:[string] managedFields?:[object] "
        "selfLink:string"
    ),
    "OwnerReference": (
        "apiVersion:string kind:string name:string uid:string controller?:boolean "
        "blockOwnerDeletion?:boolean"
    ),
    "MPIJobSpec": (
        "launcherCreationPolicy?:string mpiImplementation?:string mpiReplicaSpecs!:{ReplicaSpec} "
        "runLauncherAsWorker?:boolean runPolicy:RunPolicy slotsPerWorker?:int32 "
        "sshAuthMountPath?:string"
    ),
    "RunPolicy": (
        "activeDeadlineSeconds:int64 backoffLimit:int32 cleanPodPolicy:string managedBy:string "
        "schedulingPolicy:SchedulingPolicy suspend?:boolean ttlSecondsAfterFinished:int32"
    ),
    "SchedulingPolicy": (
        "minAvailable:int32 minResources:{quantity} priorityClass:string queue:string "
        "scheduleTimeoutSeconds:int32"
    ),
    "ReplicaSpec": "replicas:int32 restartPolicy:string template:PodTemplate",
    "MPIJobStatus": (
        "completionTime:time conditions:[Condition] lastReconcileTime:time "
        "replicaStatuses:{ReplicaStatus} startTime:time restarts:int32 failure:Failure "
        "state:string ready:string"
    ),
    "Condition": (
        "lastTransitionTime:time lastUpdateTime:time message:string reason:string status!:string "
        "type!:string"
    ),
    "ReplicaStatus": (
        "active:int32 failed:int32 labelSelector:LabelSelector selector:string succeeded:int32"
    ),
    "Failure": (
        "pod!:string uid:string reason:string message:string node:string exitCode:int32 time:time"
    ),
}

#: Lists in which no two items may have the same values here, by type and field.
JOB_KEYS = {("MPIJobStatus", "conditions"): ("type",)}

#: The words that a field may hold, by type and field.
ENUMS = {
    ("MPIJobSpec", "mpiImplementation"): ("OpenMPI", "Intel", "MPICH"),
    ("Condition", "status"): ("True", "False", "Unknown"),
}
