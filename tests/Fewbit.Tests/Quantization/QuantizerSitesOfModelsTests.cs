using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Quantization;
using Fewbit.Tests.Models;

namespace Fewbit.Tests.Quantization;

[Collection(LargeNetworks.Name)]
public sealed class QuantizerSitesOfModelsTests
{
    [Theory]
    [InlineData("resnet20", 20, 19)]  // the stem, 9 blocks of an inner activation and a sum
    [InlineData("mobilenetv2", 53, 52)] // every convolution behind the first, and the classifier, reads one
    public void Find_PaperOnReferenceModel_CountsSites(string model, int weights, int activations)
    {
        Graph graph = ReferenceModels.Find(model).Create(new() { InputSize = 32 });
        var sites = QuantizerSites.Find(Preparation.Prepare(graph), new() { Weights = IntegerFormat.Parse("uint2"), Activations = IntegerFormat.Parse("uint4"), Placement = QuantizerPlacement.Paper });
        Assert.Equal((weights, activations), (sites.Weights.Count, sites.Activations.Count));
        Assert.Equal("uint8", sites.Activations[^1].Format.Name);
        Assert.All(sites.Activations.SkipLast(1), site => Assert.Equal("uint4", site.Format.Name));
    }
}
