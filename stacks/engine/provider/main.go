// Command pulumi-resource-openstack is the OpenStack plugin of the Pulumi engine, built from Go modules: the Terraform
// provider behind Pulumi's bridge. Its resources bear the names that the Python package pulumi-openstack uses
// (tokens.json), so that programs written for the published plugin run on this one.
package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/terraform-provider-openstack/terraform-provider-openstack/v3/openstack"
)

// version is the plugin's version, set by the linker: orchestrator/apply/engine.py pins it.
var version = "0.0.0"

// tokensText maps the resources of the Terraform provider to the type tokens of pulumi-openstack.
//
//go:embed tokens.json
var tokensText []byte

func main() {
	names := map[string]tokens.Type{}
	if err := json.Unmarshal(tokensText, &names); err != nil {
		fmt.Fprintln(os.Stderr, "tokens.json:", err)
		os.Exit(1)
	}
	provider := openstack.Provider()
	resources := map[string]*tfbridge.ResourceInfo{}
	var ignored []string
	for name := range provider.ResourcesMap {
		if token, known := names[name]; known {
			resources[name] = &tfbridge.ResourceInfo{Tok: token}
		} else {
			ignored = append(ignored, name)
		}
	}
	for name := range provider.DataSourcesMap {
		ignored = append(ignored, name) // Onefold reads the cloud by openstacksdk
	}
	// what the published plugin calls otherwise than the bridge would
	resources["openstack_networking_subnet_v2"].Fields = map[string]*tfbridge.SchemaInfo{
		"allocation_pool": {Name: "allocationPools"},
	}
	schema := fmt.Sprintf(`{"name":"openstack","version":%q}`, version)
	tfbridge.Main("openstack", version, tfbridge.ProviderInfo{
		P: shim.NewProvider(provider), Name: "openstack", Version: version, Resources: resources, IgnoreMappings: ignored,
	}, []byte(schema))
}
