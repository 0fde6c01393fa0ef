using Fewbit.Graphs.Operators.Detection;

namespace Fewbit.Graphs.Operators;

/// <summary>Operators on boxes and regions of an image.</summary>
internal static class DetectionOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("NonMaxSuppression", NonMaxSuppression.Parse);
        registry.Add("RoiAlign", RoiAlign.Parse);
        registry.Add("MaxRoiPool", MaxRoiPool.Parse);
        registry.Add("RegionScatter", node => RegionRoute.Parse(node, scatters: true), OperatorTable.FewbitDomain);
        registry.Add("RegionGather", node => RegionRoute.Parse(node, scatters: false), OperatorTable.FewbitDomain);
    }
}
