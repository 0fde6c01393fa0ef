namespace Fewbit.Graphs.Operators;

/// <summary>Convolutions and their adjoints.</summary>
internal static class ConvolutionOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("Conv", Conv.Parse);
        registry.Add("ConvTranspose", ConvTranspose.Parse);
        registry.Add("DeformConv", DeformConv.Parse);
        registry.Add("Col2Im", Col2Im.Parse);
        registry.Add("CausalConvWithState", CausalConvWithState.Parse);
        registry.Add("ColumnConvTranspose", ColumnConvTranspose.Parse, OperatorTable.FewbitDomain);
        registry.Add("FusedConv", Conv.ParseFused, OperatorTable.FewbitDomain);
        registry.Add("ConvBackwardData", ConvBackwardData.Parse, OperatorTable.FewbitDomain);
        registry.Add("ConvBackwardWeights", ConvBackwardWeights.Parse, OperatorTable.FewbitDomain);
    }
}
