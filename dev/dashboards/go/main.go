// Holds dashboards to Grafana's own schema: no unknown field, none of another type, none that is missing.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/gauge"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	// Only what the dashboards use: all of them take a minute to compile.
	known := cog.NewRuntime()
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	known.RegisterPanelcfgVariant(gauge.VariantConfig())
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	failed := false
	for _, file := range os.Args[1:] {
		if err := check(file); err != nil {
			fmt.Printf("%s: %v\n", file, err)
			failed = true
			continue
		}
		fmt.Printf("%s: valid\n", file)
	}
	if failed {
		os.Exit(1)
	}
}

func check(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var board dashboard.Dashboard
	// Where nothing is wrong, it returns an empty list, which is no nil error.
	var wrong cog.BuildErrors
	if err := board.UnmarshalJSONStrict(raw); err != nil && !(errors.As(err, &wrong) && len(wrong) == 0) {
		return err
	}
	return board.Validate()
}
