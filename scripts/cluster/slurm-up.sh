#!/usr/bin/env bash
# slurm-up.sh FOLDER [NODES [GPUS]]: Slurm on this machine, as root, for tests: a controller and NODES nodes (2), each
# with so many GPUs (0) that are not there. Then: export SLURM_CONF=FOLDER/slurm.conf
# It needs neither systemd nor control groups nor a database, and listens on the loopback only.
set -euo pipefail
folder=$1 nodes=${2:-2} gpus=${3:-0} host=$(hostname -s)
# The first of the ports: one for the controller, and one for each node.
port=${SLURM_TEST_PORT:-16817}
mkdir -p "$folder"/{state,log,run,munge,dev}
chmod 755 "$folder" "$folder"/*

# Slurm counts GPUs of which there is a device file, so null devices stand for them.
for node in $(seq "$nodes"); do
    for gpu in $(seq 0 $((gpus - 1))); do mknod "$folder/dev/n$node-$gpu" c 1 3; done
    [ "$gpus" = 0 ] || echo "NodeName=n$node Name=gpu Type=fake File=$folder/dev/n$node-[0-$((gpus - 1))]"
done >"$folder/gres.conf"

# cred_expire is also how long a requeued job waits, which is 120 s elsewhere.
cat >"$folder/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
RequeueExit=75
KillWait=3
SlurmctldTimeout=10
SlurmdTimeout=10
SlurmdParameters=config_overrides
ReturnToService=2
$([ "$gpus" = 0 ] || echo GresTypes=gpu)
NodeName=n[1-$nodes] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + nodes))] CPUs=8 RealMemory=1000 $([ "$gpus" = 0 ] || echo "Gres=gpu:fake:$gpus") State=UNKNOWN
PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=4
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
CONF

export SLURM_CONF=$folder/slurm.conf
(umask 077 && head -c 128 /dev/urandom >"$folder/munge/key")
# --force, as munged mistrusts folders in which others may write, such as /tmp.
munged --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" --pid-file="$folder/munge/pid" \
    --seed-file="$folder/munge/seed" --log-file="$folder/munge/log"
slurmctld -i
for node in $(seq "$nodes"); do slurmd -N "n$node"; done
while [ $SECONDS -lt 30 ]; do
    [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = "$nodes" ] && exit 0
    sleep 0.2
done
echo "Slurm does not come up; its logs end so:" >&2
tail -n 10 "$folder"/log/*.log >&2
exit 1
