// Karpenter itself with its own simulated cloud ("kwok"): unchanged controllers, and nodes that are only Node objects.
// `karpenter crds` prints the custom resource definitions that it needs, as one JSON array.
package main

import (
	"encoding/json"
	"os"
	"slices"

	"github.com/samber/lo"
	simulatedapis "sigs.k8s.io/karpenter/kwok/apis"
	simulated "sigs.k8s.io/karpenter/kwok/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/apis"
	"sigs.k8s.io/karpenter/pkg/cloudprovider/overlay"
	"sigs.k8s.io/karpenter/pkg/controllers"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/operator"
)

func main() {
	if slices.Contains(os.Args[1:], "crds") {
		lo.Must0(json.NewEncoder(os.Stdout).Encode(slices.Concat(apis.CRDs, simulatedapis.CRDs)))
		return
	}
	ctx, op := operator.NewOperator()
	bare := simulated.NewCloudProvider(ctx, op.GetClient(), lo.Must(simulated.ConstructInstanceTypes(ctx)))
	cloud := overlay.Decorate(bare, op.GetClient(), op.InstanceTypeStore)
	cluster := state.NewCluster(op.Clock, op.GetClient(), cloud)
	op.WithControllers(ctx, controllers.NewControllers(ctx, op.Manager, op.Clock, op.GetClient(), op.EventRecorder,
		cloud, bare, cluster, op.InstanceTypeStore)...).Start(ctx)
}
