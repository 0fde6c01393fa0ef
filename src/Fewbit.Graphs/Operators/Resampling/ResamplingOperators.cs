namespace Fewbit.Graphs.Operators;

/// <summary>Operators that sample an image at other positions.</summary>
internal static class ResamplingOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("Resize", Resize.Parse);
        registry.Add("Upsample", Resize.ParseUpsample);
        registry.Add("GridSample", GridSample.Parse);
        registry.Add("AffineGrid", AffineGrid.Parse);
        registry.Add("ResizeAdjoint", ResizeAdjoint.Parse, OperatorTable.FewbitDomain);
    }
}
