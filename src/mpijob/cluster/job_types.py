"""The types of an MPIJob's fields, in the notation of `pod_types`.

Source: `MPIJob`, mpi-operator v0.8.2 (pkg/apis/kubeflow/v2beta1/types.go); of the
status, `restarts`, `failure`, `state` and `ready` are ours. For the older versions: its v0.3.0, and
the training-operator v1.9.4.
"""

from mpijob.core.version import Version

#: The type of a whole MPIJob, by the version that it is written in.
ROOTS = {
    Version.V1ALPHA1.api_version: "V1Alpha1Job",
    Version.V1ALPHA2.api_version: "V1Alpha2Job",
    Version.V1.api_version: "V1Job",
    Version.V2BETA1.api_version: "MPIJob",
}

#: The type of a whole MPIJob with the fields of every version.
ANY = "AnyJob"

JOB_TYPES = {
    "MPIJob": (
        "apiVersion:string kind:string metadata:ObjectMeta spec:MPIJobSpec status?:MPIJobStatus"
    ),
    "V1Alpha1Job": (
        "apiVersion:string kind:string metadata:ObjectMeta spec:V1Alpha1Spec status?:MPIJobStatus"
    ),
    "V1Alpha2Job": (
        "apiVersion:string kind:string metadata:ObjectMeta spec:V1Alpha2Spec status?:MPIJobStatus"
    ),
    "V1Job": "apiVersion:string kind:string metadata:ObjectMeta spec:V1Spec status?:MPIJobStatus",
    ANY: ("apiVersion:string kind:string metadata:ObjectMeta spec:AnySpec status?:MPIJobStatus"),
    "AnySpec": (
        "+V1Alpha1Spec +V1Alpha2Spec +MPIJobSpec mpiReplicaSpecs:{ReplicaSpec} template:object"
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
    "V1Spec": (
        "cleanPodPolicy:string mainContainer:string mpiReplicaSpecs!:{ReplicaSpec} "
        "runPolicy?:RunPolicy slotsPerWorker?:int32"
    ),
    "V1Alpha2Spec": (
        "+V1Spec activeDeadlineSeconds?:int64 backoffLimit?:int32 mpiDistribution:string"
    ),
    "V1Alpha1Spec": (
        "activeDeadlineSeconds?:int64 backoffLimit?:int32 gpus?:int32 gpusPerNode?:int32 "
        "launcherOnMaster?:boolean processingResourceType:string processingUnits?:int32 "
        "processingUnitsPerNode?:int32 replicas?:int32 slotsPerWorker?:int32 template:PodTemplate"
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
        "completionTime:time conditions:[Condition] lastReconcileTime:time launcherStatus:string "
        "replicaStatuses:{ReplicaStatus} workerReplicas:int32 startTime:time restarts:int32 "
        "failure:Failure state:string ready:string"
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
    ("V1Alpha2Spec", "mpiDistribution"): ("OpenMPI", "IntelMPI", "MPICH"),
    ("AnySpec", "mpiImplementation"): ("OpenMPI", "Intel", "MPICH"),
    ("AnySpec", "mpiDistribution"): ("OpenMPI", "IntelMPI", "MPICH"),
    ("Condition", "status"): ("True", "False", "Unknown"),
}
