namespace Fewbit.Graphs.Operators.Movement;

/// <summary>Operators that move, select or count elements, and compute none.</summary>
internal static class MovementOperators
{
    public static void Register(OperatorRegistry registry)
    {
        RegisterShapes(registry);
        RegisterCopies(registry);
        RegisterSelections(registry);
        RegisterGradients(registry);
    }

    private static void RegisterShapes(OperatorRegistry registry)
    {
        registry.Add("Identity", _ => new Identity());
        registry.Add("Shape", ShapeOf.Parse);
        registry.Add("Size", _ => new SizeOf());
        registry.Add("Reshape", Reshape.Parse);
        registry.Add("Squeeze", _ => new Squeeze());
        registry.Add("Unsqueeze", _ => new Unsqueeze());
        registry.Add("Flatten", Flatten.Parse);
        registry.Add("Constant", Constant.Parse);
        registry.Add("ConstantOfShape", ConstantOfShape.Parse);
        registry.Add("Range", _ => new Range());
        registry.Add("EyeLike", EyeLike.Parse);
        registry.Add("OneHot", OneHot.Parse);
    }

    private static void RegisterCopies(OperatorRegistry registry)
    {
        registry.Add("Expand", _ => new Expand());
        registry.Add("Transpose", Transpose.Parse);
        registry.Add("Reorder", _ => new Reorder(), OperatorTable.FewbitDomain);
        registry.Add("Concat", Concat.Parse);
        registry.Add("Split", Split.Parse);
        registry.Add("Slice", _ => new Slice());
        registry.Add("Tile", _ => new Tile());
        registry.Add("Pad", Pad.Parse);
        registry.Add("CenterCropPad", CenterCropPad.Parse);
        registry.Add("Trilu", Trilu.Parse);
        registry.Add("ReverseSequence", ReverseSequence.Parse);
        registry.Add("DepthToSpace", DepthToSpace.Parse);
        registry.Add("SpaceToDepth", SpaceToDepth.Parse);
    }

    private static void RegisterSelections(OperatorRegistry registry)
    {
        registry.Add("Gather", Gather.Parse);
        registry.Add("GatherElements", GatherElements.Parse);
        registry.Add("GatherND", GatherND.Parse);
        registry.Add("ScatterElements", ScatterElements.Parse);
        registry.Add("Scatter", ScatterElements.Parse);
        registry.Add("ScatterND", ScatterND.Parse);
        registry.Add("NonZero", _ => new NonZero());
        registry.Add("Compress", Compress.Parse);
        registry.Add("Unique", Unique.Parse);
    }

    private static void RegisterGradients(OperatorRegistry registry)
    {
        registry.Add("TileGradient", _ => new TileGradient(), OperatorTable.FewbitDomain);
        registry.Add("SliceGradient", _ => new SliceGradient(), OperatorTable.FewbitDomain);
        registry.Add("GatherGradient", GatherGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("GatherNDGradient", GatherNDGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("PadGradient", PadGradient.Parse, OperatorTable.FewbitDomain);
        registry.Add("SpaceToDepth", SpaceToDepth.Parse, OperatorTable.FewbitDomain);
    }
}
