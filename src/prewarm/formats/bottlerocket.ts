/** A script that makes a snapshot of Bottlerocket's data volume with the images on it. */
import { ECR_HOST } from "./ecr.ts";
import { volumeGib } from "./packer.ts";
import { type Format, headline, pinned } from "./prewarm-list.ts";

/** GiB; Bottlerocket's own data volume. */
const LEAST_GIB = 20;

/** User data of the instance that pulls: `sheltie`, the way to `ctr`, is in the admin container. */
export const BUILDER_SETTINGS = `[settings.host-containers.admin]
enabled = true
`;

/**
 * Bottlerocket has no user data scripts. A bootstrap container can not pull either: it runs before containerd starts
 * (bootstrap-containers@.service is before configured.target, containerd.service after it), and only containerd may
 * write its folders (cache_t in rules.cil of the SELinux policy; both in bottlerocket-core-kit). So the images are put
 * on a snapshot of the data volume. Fails closed: no snapshot with images missing.
 */
export const bottlerocket: Format = (list) => {
  const lines = list.images.map((image) => `${pinned(image)} ${image.ref}`);
  return `#!/usr/bin/env bash
# ${headline(list)}
# Starts one Bottlerocket instance, pulls the images on it, and makes a snapshot of its data volume (/dev/xvdb).
# Needs the AWS CLI. Set INSTANCE_PROFILE (with AmazonSSMManagedInstanceCore and AmazonEC2ContainerRegistryPullOnly) and
# KUBERNETES (such as 1.33); SUBNET, ARCH and INSTANCE_TYPE if the defaults do not suit.
set -euo pipefail

: "\${INSTANCE_PROFILE:?}" "\${KUBERNETES:?}"
arch="\${ARCH:-x86_64}"
export AWS_PAGER=""

ami="$(aws ssm get-parameter --query Parameter.Value --output text \\
  --name "/aws/service/bottlerocket/aws-k8s-$KUBERNETES/$arch/latest/image_id")"
user_data="$(mktemp)"
instance=""
finish() {
  rm -f "$user_data"
  [ -z "$instance" ] || aws ec2 terminate-instances --instance-ids "$instance" >/dev/null
}
trap finish EXIT
cat >"$user_data" <<'TOML'
${BUILDER_SETTINGS}TOML

instance="$(aws ec2 run-instances --image-id "$ami" --instance-type "\${INSTANCE_TYPE:-m6i.large}" \\
  --iam-instance-profile "Name=$INSTANCE_PROFILE" --user-data "file://$user_data" \\
  \${SUBNET:+--subnet-id "$SUBNET"} \\
  --block-device-mappings 'DeviceName=/dev/xvdb,Ebs={VolumeSize=${volumeGib(list, LEAST_GIB)},VolumeType=gp3,DeleteOnTermination=true}' \\
  --query 'Instances[0].InstanceId' --output text)"
echo "instance $instance pulls"
until [ "$(aws ssm describe-instance-information --filters "Key=InstanceIds,Values=$instance" \\
  --query 'InstanceInformationList[0].PingStatus' --output text)" = Online ]; do sleep 5; done

${PULLING}done 3<<'IMAGES'
${lines.join("\n")}
IMAGES
${SNAPSHOT}`;
};

/** Reads the list from file 3, since `aws` might read from standard input. */
const PULLING = `# Runs a command in the control container, and waits for it as long as an hour.
on_instance() {
  local id status
  id="$(aws ssm send-command --instance-ids "$instance" --document-name AWS-RunShellScript \\
    --parameters "$(printf '{"commands":["%s"],"executionTimeout":["3600"]}' "$1")" --query Command.CommandId --output text)"
  while :; do
    sleep 3
    status="$(aws ssm get-command-invocation --command-id "$id" --instance-id "$instance" --query Status --output text)"
    case "$status" in
      Success) return 0 ;;
      Pending | InProgress | Delayed) ;;
      *) echo "$2: $status" >&2; return 1 ;;
    esac
  done
}

ecr='${ECR_HOST}'
# The admin container is up some seconds after the agent.
ctr="apiclient exec admin sheltie ctr -n k8s.io"
for tries in 1 2 3 4 5 6 7 8 9 10; do
  on_instance "$ctr version" "containerd (try $tries)" && break
done
while read -r source name <&3; do
  [ -n "$source" ] || continue
  host="\${name%%/*}"
  login=""
  if [[ "$host" =~ $ecr ]]; then
    login="--user AWS:$(aws ecr get-login-password --region "\${BASH_REMATCH[2]}")"
  fi
  on_instance "$ctr images pull --label io.cri-containerd.image=managed $login $source" "$name"
  [ "$source" = "$name" ] || on_instance "$ctr images tag --force $source $name" "$name"
  echo "pulled $name"
`;

const SNAPSHOT = `
# Only a volume that is no longer written to is whole.
aws ec2 stop-instances --instance-ids "$instance" >/dev/null
aws ec2 wait instance-stopped --instance-ids "$instance"
volume="$(aws ec2 describe-instances --instance-ids "$instance" --output text \\
  --query "Reservations[0].Instances[0].BlockDeviceMappings[?DeviceName=='/dev/xvdb'].Ebs.VolumeId")"
snapshot="$(aws ec2 create-snapshot --volume-id "$volume" --description "paceline prewarm" \\
  --query SnapshotId --output text)"
until aws ec2 wait snapshot-completed --snapshot-ids "$snapshot"; do sleep 5; done
cat <<END
The snapshot is $snapshot. Nodes start with it as their data volume:
  Karpenter (EC2NodeClass)  blockDeviceMappings: [{ deviceName: /dev/xvdb, ebs: { volumeType: gp3, snapshotID: $snapshot } }]
  launch template           BlockDeviceMappings: DeviceName /dev/xvdb, Ebs SnapshotId $snapshot
A volume from a snapshot is slow at its first reads: set ebs.volumeInitializationRate, or use fast snapshot restore.
END
`;
