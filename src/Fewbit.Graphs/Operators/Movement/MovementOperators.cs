namespace Fewbit.Graphs.Operators.Movement;

/// <summary>Operators that move, select or count elements, and compute none.</summary>
internal static class MovementOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("Identity", _ => new Identity());
        registry.Add("Shape", ShapeOf.Parse);
        registry.Add("Size", _ => new SizeOf());
        registry.Add("Reshape", Reshape.Parse);
        registry.Add("Squeeze", _ => new Squeeze());
        registry.Add("Unsqueeze", _ => new Unsqueeze());
        registry.Add("Flatten", Flatten.Parse);
        registry.Add("Expand", _ => new Expand());
        registry.Add("Transpose", Transpose.Parse);
        registry.Add("Concat", Concat.Parse);
        registry.Add("Split", Split.Parse);
        registry.Add("Slice", _ => new Slice());
        registry.Add("Gather", Gather.Parse);
        registry.Add("Pad", Pad.Parse);
        registry.Add("Constant", Constant.Parse);
        registry.Add("ConstantOfShape", ConstantOfShape.Parse);
        registry.Add("DepthToSpace", DepthToSpace.Parse);
        registry.Add("SpaceToDepth", SpaceToDepth.Parse);
        registry.Add("SliceGradient", _ => new SliceGradient(), OperatorTable.FewbitDomain);
        registry.Add("GatherGradient", GatherGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("PadGradient", PadGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("SpaceToDepth", SpaceToDepth.Parse, OperatorTable.FewbitDomain);
    }
}
