# The first process in the node's namespaces, which it furnishes. $1 is the node's folder, $2 its address and $3 the range
# of the Services' addresses. When all is there it tells its process ID, as the machine sees it.

# /proc still is the machine's.
read -r pid rest </proc/self/stat

# What is mounted from here on is seen by containers that ask for it, and never outside.
mount --make-rshared /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mount --bind "$1/lib" /var/lib
mount --bind "$1/log" /var/log

# The API server needs an address that pods can reach, which one of the loopback device is not.
ip link set lo up
ip link add node0 type veth peer name node1
ip address add "$2/24" dev node0
ip link set node0 up
ip link set node1 up
# For connections from the node itself: the route is looked up before kube-proxy's rules replace the address.
ip route add "$3" dev node0

echo "$pid"

# Nobody reads what cat writes. To wait is also to collect processes whose parents are gone.
exec 3<&0
cat <&3 >/dev/null &
wait $!
