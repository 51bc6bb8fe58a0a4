"""The types of a pod template's fields, as a cluster of Kubernetes 1.35 checks them.

A line gives a type's fields as `name:type`, with `!` after the name where the field must be there,
and `?` where null is taken for a default. `[T]` is a list, `{T}` a mapping with keys of the user's
own; a type that begins with a capital is another line of the table, and `+T` takes in all of T's.

Source: the fields of `PodTemplateSpec`, Kubernetes v1.35 (core/v1).
"""

POD_TYPES = {
    "TemplateMeta": (
        "annotations:{string} finalizers:[string] labels:{string} name:string namespace:string"
    ),
    "Requirement": "key!:string operator!:string values:[string]",
    "NodeSelectorTerm": "matchExpressions:[Requirement] matchFields:[Requirement]",
    "PreferredNode": "preference!:NodeSelectorTerm weight!:int32",
    "NodeSelector": "nodeSelectorTerms!:[NodeSelectorTerm]",
    "NodeAffinity": (
        "preferredDuringSchedulingIgnoredDuringExecution:[PreferredNode] "
        "requiredDuringSchedulingIgnoredDuringExecution:NodeSelector"
    ),
    "LabelSelector": "matchExpressions:[Requirement] matchLabels:{string}",
    "PodAffinityTerm": (
        "labelSelector:LabelSelector matchLabelKeys:[string] mismatchLabelKeys:[string] "
        "namespaceSelector:LabelSelector namespaces:[string] topologyKey!:string"
    ),
    "PreferredPods": "podAffinityTerm!:PodAffinityTerm weight!:int32",
    "PodAffinity": (
        "preferredDuringSchedulingIgnoredDuringExecution:[PreferredPods] "
        "requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm]"
    ),
    "Affinity": "nodeAffinity:NodeAffinity podAffinity:PodAffinity podAntiAffinity:PodAffinity",
    "KeyRef": "key!:string name?:string optional:boolean",
    "FieldRef": "apiVersion:string fieldPath!:string",
    "FileKeyRef": "key!:string optional?:boolean path!:string volumeName!:string",
    "ResourceFieldRef": "containerName:string divisor:quantity resource!:string",
    "ValueFrom": (
        "configMapKeyRef:KeyRef fieldRef:FieldRef fileKeyRef:FileKeyRef "
        "resourceFieldRef:ResourceFieldRef secretKeyRef:KeyRef"
    ),
    "Env": "name!:string value:string valueFrom:ValueFrom",
    "OptionalRef": "name?:string optional:boolean",
    "EnvFrom": "configMapRef:OptionalRef prefix:string secretRef:OptionalRef",
    "Exec": "command:[string]",
    "NameAndValue": "name!:string value!:string",
    "HTTPGet": (
        "host:string httpHeaders:[NameAndValue] path:string port!:int-or-string scheme:string"
    ),
    "Sleep": "seconds!:int64",
    "TCPSocket": "host:string port!:int-or-string",
    "Hook": "exec:Exec httpGet:HTTPGet sleep:Sleep tcpSocket:TCPSocket",
    "Lifecycle": "postStart:Hook preStop:Hook stopSignal:string",
    "GRPC": "port!:int32 service?:string",
    "Probe": (
        "exec:Exec failureThreshold:int32 grpc:GRPC httpGet:HTTPGet initialDelaySeconds:int32 "
        "periodSeconds:int32 successThreshold:int32 tcpSocket:TCPSocket "
        "terminationGracePeriodSeconds:int64 timeoutSeconds:int32"
    ),
    "Port": "containerPort!:int32 hostIP:string hostPort:int32 name:string protocol?:string",
    "ResizePolicy": "resourceName!:string restartPolicy!:string",
    "Claim": "name!:string request:string",
    "Resources": "claims:[Claim] limits:{quantity} requests:{quantity}",
    "ExitCodes": "operator!:string values:[int32]",
    "RestartPolicyRule": "action!:string exitCodes:ExitCodes",
    "Profile": "localhostProfile:string type!:string",
    "Capabilities": "add:[string] drop:[string]",
    "SELinuxOptions": "level:string role:string type:string user:string",
    "WindowsOptions": (
        "gmsaCredentialSpec:string gmsaCredentialSpecName:string hostProcess:boolean "
        "runAsUserName:string"
    ),
    "SecurityContext": (
        "allowPrivilegeEscalation:boolean appArmorProfile:Profile capabilities:Capabilities "
        "privileged:boolean procMount:string readOnlyRootFilesystem:boolean runAsGroup:int64 "
        "runAsNonRoot:boolean runAsUser:int64 seLinuxOptions:SELinuxOptions "
        "seccompProfile:Profile windowsOptions:WindowsOptions"
    ),
    "VolumeDevice": "devicePath!:string name!:string",
    "VolumeMount": (
        "mountPath!:string mountPropagation:string name!:string readOnly:boolean "
        "recursiveReadOnly:string subPath:string subPathExpr:string"
    ),
    "Container": (
        "args:[string] command:[string] env:[Env] envFrom:[EnvFrom] image:string "
        "imagePullPolicy:string lifecycle:Lifecycle livenessProbe:Probe name!:string ports:[Port] "
        "readinessProbe:Probe resizePolicy:[ResizePolicy] resources:Resources "
        "restartPolicy:string restartPolicyRules:[RestartPolicyRule] "
        "securityContext:SecurityContext startupProbe:Probe stdin:boolean stdinOnce:boolean "
        "terminationMessagePath:string terminationMessagePolicy:string tty:boolean "
        "volumeDevices:[VolumeDevice] volumeMounts:[VolumeMount] workingDir:string"
    ),
    "DNSOption": "name:string value:string",
    "DNSConfig": "nameservers:[string] options:[DNSOption] searches:[string]",
    "EphemeralContainer": "+Container targetContainerName:string",
    "HostAlias": "hostnames:[string] ip!:string",
    "LocalRef": "name?:string",
    "Named": "name!:string",
    "ReadinessGate": "conditionType!:string",
    "ResourceClaim": "name!:string resourceClaimName:string resourceClaimTemplateName:string",
    "PodSecurityContext": (
        "appArmorProfile:Profile fsGroup:int64 fsGroupChangePolicy:string runAsGroup:int64 "
        "runAsNonRoot:boolean runAsUser:int64 seLinuxChangePolicy:string "
        "seLinuxOptions:SELinuxOptions seccompProfile:Profile supplementalGroups:[int64] "
        "supplementalGroupsPolicy:string sysctls:[NameAndValue] windowsOptions:WindowsOptions"
    ),
    "Toleration": "effect:string key:string operator:string tolerationSeconds:int64 value:string",
    "TopologySpreadConstraint": (
        "labelSelector:LabelSelector matchLabelKeys:[string] maxSkew!:int32 minDomains:int32 "
        "nodeAffinityPolicy:string nodeTaintsPolicy:string topologyKey!:string "
        "whenUnsatisfiable!:string"
    ),
    "AwsElasticBlockStore": "fsType:string partition:int32 readOnly:boolean volumeID!:string",
    "AzureDisk": (
        "cachingMode:string diskName!:string diskURI!:string fsType?:string kind:string "
        "readOnly?:boolean"
    ),
    "AzureFile": "readOnly:boolean secretName!:string shareName!:string",
    "Cephfs": (
        "monitors!:[string] path:string readOnly:boolean secretFile:string secretRef:LocalRef "
        "user:string"
    ),
    "Cinder": "fsType:string readOnly:boolean secretRef:LocalRef volumeID!:string",
    "KeyToPath": "key!:string mode:int32 path!:string",
    "ConfigMapVolume": "defaultMode:int32 items:[KeyToPath] name?:string optional:boolean",
    "Csi": (
        "driver!:string fsType:string nodePublishSecretRef:LocalRef readOnly:boolean "
        "volumeAttributes:{string}"
    ),
    "DownwardFile": "fieldRef:FieldRef mode:int32 path!:string resourceFieldRef:ResourceFieldRef",
    "DownwardVolume": "defaultMode:int32 items:[DownwardFile]",
    "EmptyDir": "medium:string sizeLimit:quantity",
    "DataSource": "apiGroup:string kind!:string name!:string",
    "DataSourceRef": "apiGroup:string kind!:string name!:string namespace:string",
    "ClaimResources": "limits:{quantity} requests:{quantity}",
    "ClaimSpec": (
        "accessModes:[string] dataSource:DataSource dataSourceRef:DataSourceRef "
        "resources:ClaimResources selector:LabelSelector storageClassName:string "
        "volumeAttributesClassName:string volumeMode:string volumeName:string"
    ),
    "ClaimTemplate": "metadata:TemplateMeta spec!:ClaimSpec",
    "EphemeralVolume": "volumeClaimTemplate:ClaimTemplate",
    "Fc": "fsType:string lun:int32 readOnly:boolean targetWWNs:[string] wwids:[string]",
    "FlexVolume": (
        "driver!:string fsType:string options:{string} readOnly:boolean secretRef:LocalRef"
    ),
    "Flocker": "datasetName:string datasetUUID:string",
    "GcePersistentDisk": "fsType:string partition:int32 pdName!:string readOnly:boolean",
    "GitRepo": "directory:string repository!:string revision:string",
    "Glusterfs": "endpoints!:string path!:string readOnly:boolean",
    "HostPath": "path!:string type:string",
    "ImageVolume": "pullPolicy:string reference:string",
    "Iscsi": (
        "chapAuthDiscovery:boolean chapAuthSession:boolean fsType:string initiatorName:string "
        "iqn!:string iscsiInterface?:string lun!:int32 portals:[string] readOnly:boolean "
        "secretRef:LocalRef targetPortal!:string"
    ),
    "Nfs": "path!:string readOnly:boolean server!:string",
    "PersistentVolumeClaim": "claimName!:string readOnly:boolean",
    "PhotonPersistentDisk": "fsType:string pdID!:string",
    "PortworxVolume": "fsType:string readOnly:boolean volumeID!:string",
    "ClusterTrustBundle": (
        "labelSelector:LabelSelector name:string optional:boolean path!:string signerName:string"
    ),
    "ProjectedItems": "items:[KeyToPath] name?:string optional:boolean",
    "ProjectedDownward": "items:[DownwardFile]",
    "PodCertificate": (
        "certificateChainPath:string credentialBundlePath:string keyPath:string keyType!:string "
        "maxExpirationSeconds:int32 signerName!:string userAnnotations:{string}"
    ),
    "ServiceAccountToken": "audience:string expirationSeconds:int64 path!:string",
    "ProjectedSource": (
        "clusterTrustBundle:ClusterTrustBundle configMap:ProjectedItems "
        "downwardAPI:ProjectedDownward podCertificate:PodCertificate secret:ProjectedItems "
        "serviceAccountToken:ServiceAccountToken"
    ),
    "ProjectedVolume": "defaultMode:int32 sources:[ProjectedSource]",
    "Quobyte": (
        "group:string readOnly:boolean registry!:string tenant:string user:string volume!:string"
    ),
    "Rbd": (
        "fsType:string image!:string keyring?:string monitors!:[string] pool?:string "
        "readOnly:boolean secretRef:LocalRef user?:string"
    ),
    "ScaleIO": (
        "fsType?:string gateway!:string protectionDomain:string readOnly:boolean "
        "secretRef!:LocalRef sslEnabled:boolean storageMode?:string storagePool:string "
        "system!:string volumeName:string"
    ),
    "SecretVolume": "defaultMode:int32 items:[KeyToPath] optional:boolean secretName:string",
    "Storageos": (
        "fsType:string readOnly:boolean secretRef:LocalRef volumeName:string volumeNamespace:string"
    ),
    "VsphereVolume": (
        "fsType:string storagePolicyID:string storagePolicyName:string volumePath!:string"
    ),
    "Volume": (
        "awsElasticBlockStore:AwsElasticBlockStore azureDisk:AzureDisk azureFile:AzureFile "
        "cephfs:Cephfs cinder:Cinder configMap:ConfigMapVolume csi:Csi downwardAPI:DownwardVolume "
        "emptyDir:EmptyDir ephemeral:EphemeralVolume fc:Fc flexVolume:FlexVolume flocker:Flocker "
        "gcePersistentDisk:GcePersistentDisk gitRepo:GitRepo glusterfs:Glusterfs "
        "hostPath:HostPath image:ImageVolume iscsi:Iscsi name!:string nfs:Nfs "
        "persistentVolumeClaim:PersistentVolumeClaim photonPersistentDisk:PhotonPersistentDisk "
        "portworxVolume:PortworxVolume projected:ProjectedVolume quobyte:Quobyte rbd:Rbd "
        "scaleIO:ScaleIO secret:SecretVolume storageos:Storageos vsphereVolume:VsphereVolume"
    ),
    "WorkloadRef": "name!:string podGroup!:string podGroupReplicaKey:string",
    "PodSpec": (
        "activeDeadlineSeconds:int64 affinity:Affinity automountServiceAccountToken:boolean "
        "containers!:[Container] dnsConfig:DNSConfig dnsPolicy:string enableServiceLinks:boolean "
        "ephemeralContainers:[EphemeralContainer] hostAliases:[HostAlias] hostIPC:boolean "
        "hostNetwork:boolean hostPID:boolean hostUsers:boolean hostname:string "
        "hostnameOverride:string imagePullSecrets:[LocalRef] initContainers:[Container] "
        "nodeName:string nodeSelector:{string} os:Named overhead:{quantity} "
        "preemptionPolicy:string priority:int32 priorityClassName:string "
        "readinessGates:[ReadinessGate] resourceClaims:[ResourceClaim] resources:Resources "
        "restartPolicy:string runtimeClassName:string schedulerName:string "
        "schedulingGates:[Named] securityContext:PodSecurityContext serviceAccount:string "
        "serviceAccountName:string setHostnameAsFQDN:boolean shareProcessNamespace:boolean "
        "subdomain:string terminationGracePeriodSeconds:int64 tolerations:[Toleration] "
        "topologySpreadConstraints:[TopologySpreadConstraint] volumes:[Volume] "
        "workloadRef:WorkloadRef"
    ),
    "PodTemplate": "metadata:TemplateMeta spec:PodSpec",
}

#: Lists in which no two items may have the same values here, by type and field.
POD_KEYS = {
    ("PodSpec", "containers"): ("name",),
    ("PodSpec", "initContainers"): ("name",),
    ("PodSpec", "ephemeralContainers"): ("name",),
    ("PodSpec", "volumes"): ("name",),
    ("PodSpec", "hostAliases"): ("ip",),
    ("PodSpec", "imagePullSecrets"): ("name",),
    ("PodSpec", "resourceClaims"): ("name",),
    ("PodSpec", "schedulingGates"): ("name",),
    ("PodSpec", "topologySpreadConstraints"): ("topologyKey", "whenUnsatisfiable"),
    ("Container", "env"): ("name",),
    ("Container", "ports"): ("containerPort", "protocol"),
    ("Container", "volumeDevices"): ("devicePath",),
    ("Container", "volumeMounts"): ("mountPath",),
    ("Resources", "claims"): ("name",),
}
#: What a missing key of such an item counts as.
POD_KEY_DEFAULTS = {"protocol": "TCP"}
